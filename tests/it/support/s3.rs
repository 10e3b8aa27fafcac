//! An S3 server: the protocol and its signatures by `s3s`, objects in a directory by `s3s-fs`, and what that leaves
//! out (checksums of parts, conditions on uploads of parts, listing those) added; with faults on the way to it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::dto::*;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use sha2::{Digest, Sha256};

/// Who may use it.
pub(crate) const ACCESS: (&str, &str) = ("AKIAEXAMPLE", "secret/example");

/// The bucket that is there.
pub(crate) const BUCKET: &str = "logs";

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An answer of this status and code, and nothing done.
    Answer(u16, &'static str),
    /// The connection is closed, and nothing done.
    Reset,
    /// It is done, and the connection closed before the answer.
    NoAnswer,
    /// It is done, and half of the answer's body comes.
    HalfAnswer,
    /// It takes so many milliseconds longer.
    Slow(u64),
}

const FAULTS: [Fault; 7] = [
    Fault::Answer(500, "InternalError"),
    Fault::Answer(503, "SlowDown"),
    Fault::Answer(403, "AccessDenied"),
    Fault::Reset,
    Fault::NoAnswer,
    Fault::HalfAnswer,
    Fault::Slow(30),
];

/// Headers of requests that are noted.
const OPTIONS: [&str; 6] = [
    "if-none-match",
    "cache-control",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-storage-class",
    "x-amz-tagging",
];

/// What is to go wrong.
#[derive(Default)]
struct Plan {
    /// With the next requests; `None`: nothing.
    next: Vec<Option<Fault>>,
    /// With all requests from now on.
    always: Option<Fault>,
    /// With so many of a hundred, at random.
    percent: u64,
    random: u64,
    requests: Vec<String>,
}

impl Plan {
    fn fault(&mut self) -> Option<Fault> {
        if !self.next.is_empty() {
            return self.next.remove(0);
        }
        if self.always.is_some() {
            return self.always;
        }
        // SplitMix64
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut n = self.random;
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^= n >> 31;
        (n % 100 < self.percent).then(|| FAULTS[usize::try_from(n / 100 % FAULTS.len() as u64).unwrap()])
    }
}

/// A server of its own.
pub(crate) struct Server {
    directory: tempfile::TempDir,
    address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    uploads: Uploads,
    _runtime: tokio::runtime::Runtime,
}

/// Uploads that have begun: their keys, and the checksums of their parts.
type Uploads = Arc<Mutex<HashMap<String, (String, HashMap<i32, String>)>>>;

impl Server {
    pub(crate) fn start() -> Server {
        Server::with(true)
    }

    /// One that says nothing of checksums, as older stores.
    pub(crate) fn without_checksums() -> Server {
        Server::with(false)
    }

    fn with(checksums: bool) -> Server {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(BUCKET)).unwrap();
        let uploads = Uploads::default();
        let store = Store {
            files: FileSystem::new(directory.path()).unwrap(),
            root: directory.path().to_owned(),
            uploads: Arc::clone(&uploads),
            checksums,
        };
        let mut builder = S3ServiceBuilder::new(store);
        builder.set_auth(SimpleAuth::from_single(ACCESS.0, ACCESS.1));
        let service = builder.build();
        let plan = Arc::new(Mutex::new(Plan::default()));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(serve(listener, service, Arc::clone(&plan)));
        Server { directory, address, plan, uploads, _runtime: runtime }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The `[archive]` of a configuration, with the prefix `below`.
    pub(crate) fn configuration(&self, below: &str) -> String {
        self.configuration_through(self.address, below)
    }

    /// The same, reached by another address.
    pub(crate) fn configuration_through(&self, address: SocketAddr, below: &str) -> String {
        format!(
            "[archive]\nurl = \"s3://{BUCKET}/{below}\"\nendpoint = \"http://{}\"\nregion = \"eu-central-1\"\n\
             path_style = true\n",
            address
        )
    }

    /// The next requests go wrong like that; `None`: well.
    pub(crate) fn next(&self, faults: &[Option<Fault>]) {
        self.plan.lock().unwrap().next.extend(faults);
    }

    /// All requests go wrong like that, or none.
    pub(crate) fn always(&self, fault: Option<Fault>) {
        self.plan.lock().unwrap().always = fault;
    }

    /// So many of a hundred requests go wrong.
    pub(crate) fn percent(&self, percent: u64, seed: u64) {
        let plan = &mut *self.plan.lock().unwrap();
        (plan.percent, plan.random) = (percent, seed);
    }

    /// Requests since the last call: method, path, and what of the options they have.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.plan.lock().unwrap().requests)
    }

    /// Begins an upload, as somebody who then is gone.
    pub(crate) fn begin(&self, key: &str) {
        let id = "00000000-0000-4000-8000-000000000000";
        self.uploads.lock().unwrap().insert(id.to_owned(), (key.to_owned(), HashMap::new()));
    }

    /// Uploads that have begun and not ended.
    pub(crate) fn unfinished(&self) -> usize {
        self.uploads.lock().unwrap().len()
    }

    /// The objects: their keys, and the files that hold them.
    pub(crate) fn objects(&self) -> Vec<(String, PathBuf)> {
        fn walk(folder: &std::path::Path, to: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, to) } else { to.push(path) }
            }
        }
        let root = self.directory.path().join(BUCKET);
        let mut files = Vec::new();
        walk(&root, &mut files);
        files.sort();
        files
            .into_iter()
            .map(|path| (path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), path))
            .filter(|(key, _)| !key.rsplit('/').next().unwrap().starts_with('.'))
            .collect()
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, Error>>;
type Error = Box<dyn std::error::Error + Send + Sync>;

async fn serve(listener: tokio::net::TcpListener, service: S3Service, plan: Arc<Mutex<Plan>>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let (service, plan) = (service.clone(), Arc::clone(&plan));
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(request, service.clone(), Arc::clone(&plan)));
            // An error closes the connection: that is what some faults are.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), answer)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    service: S3Service,
    plan: Arc<Mutex<Plan>>,
) -> Result<Answer, Error> {
    let fault = {
        let mut plan = plan.lock().unwrap();
        let said = OPTIONS.iter().filter_map(|name| Some((name, request.headers().get(*name)?)));
        let said: String = said.map(|(name, value)| format!(" {name}={}", value.to_str().unwrap())).collect();
        plan.requests.push(format!("{} {}{said}", request.method(), request.uri()));
        plan.fault()
    };
    match fault {
        Some(Fault::Answer(status, code)) => {
            // A client that still sends sees the connection end otherwise.
            let _ = request.into_body().collect().await;
            let text = format!(
                "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>so it is</Message></Error>"
            );
            let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
            return Ok(Response::builder().status(status).body(body)?);
        }
        Some(Fault::Reset) => return Err("reset".into()),
        Some(Fault::Slow(time)) => tokio::time::sleep(Duration::from_millis(time)).await,
        _ => {}
    }
    let request = request.map(s3s::Body::from);
    let answer = service.call(request).await.map_err(|e| format!("{e:?}"))?;
    match fault {
        Some(Fault::NoAnswer) => Err("no answer".into()),
        Some(Fault::HalfAnswer) => {
            let (parts, body) = answer.into_parts();
            let bytes = body.collect().await.map_err(|e| e.to_string())?.to_bytes();
            let half = bytes.slice(..bytes.len() / 2);
            let pieces: Vec<Result<Frame<Bytes>, Error>> = vec![Ok(Frame::data(half)), Err("half".into())];
            let mut answer = Response::from_parts(
                parts,
                StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync(),
            );
            let length = bytes.len().into();
            answer.headers_mut().insert(hyper::header::CONTENT_LENGTH, length);
            Ok(answer)
        }
        _ => Ok(answer.map(|body| body.map_err(|e| e.to_string().into()).boxed_unsync())),
    }
}

/// The store behind the protocol.
struct Store {
    files: FileSystem,
    root: PathBuf,
    uploads: Uploads,
    checksums: bool,
}

impl Store {
    fn is_there(&self, bucket: &str, key: &str) -> bool {
        std::fs::metadata(self.root.join(bucket).join(key)).is_ok()
    }
}

fn base64(bytes: &[u8]) -> String {
    aws_smithy_types::base64::encode(bytes)
}

#[async_trait]
impl S3 for Store {
    async fn put_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        if !self.is_there(&request.input.bucket, "") {
            return Err(s3_error!(NoSuchBucket));
        }
        // It knows one class; that another is asked for is noted.
        request.input.storage_class = None;
        let mut done = self.files.put_object(request).await?;
        if !self.checksums {
            done.output.checksum_sha256 = None;
        }
        Ok(done)
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.files.get_object(request).await
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        self.files.head_object(request).await
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.files.delete_object(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.files.list_objects_v2(request).await
    }

    async fn create_multipart_upload(
        &self,
        mut request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        request.input.storage_class = None;
        let key = request.input.key.clone();
        let begun = self.files.create_multipart_upload(request).await?;
        let id = begun.output.upload_id.clone().unwrap();
        self.uploads.lock().unwrap().insert(id, (key, HashMap::new()));
        Ok(begun)
    }

    async fn upload_part(
        &self,
        mut request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let body = request.input.body.take().ok_or_else(|| s3_error!(IncompleteBody))?;
        let bytes = s3s::Body::from(body).collect().await.map_err(|_| s3_error!(IncompleteBody))?.to_bytes();
        let theirs = base64(&Sha256::digest(&bytes));
        if request.input.checksum_sha256.as_ref().is_some_and(|ours| *ours != theirs) {
            return Err(s3_error!(BadDigest));
        }
        let (id, number) = (request.input.upload_id.clone(), request.input.part_number);
        request.input.body = Some(s3s::Body::from(bytes).into());
        let mut done = self.files.upload_part(request).await?;
        match self.uploads.lock().unwrap().get_mut(&id) {
            Some((_, parts)) => parts.insert(number, theirs.clone()),
            None => return Err(s3_error!(NoSuchUpload)),
        };
        done.output.checksum_sha256 = self.checksums.then_some(theirs);
        Ok(done)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = &request.input;
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        if input.if_none_match.is_some() && self.is_there(&bucket, &key) {
            return Err(s3_error!(PreconditionFailed));
        }
        let parts = match self.uploads.lock().unwrap().get(&id) {
            Some((_, parts)) => parts.clone(),
            None => return Err(s3_error!(NoSuchUpload)),
        };
        let mut done = self.files.complete_multipart_upload(request).await?;
        if let Some(future) = done.output.future.take() {
            done.output = future.await?;
        }
        self.uploads.lock().unwrap().remove(&id);
        let mut all = Sha256::new();
        for number in 1..=i32::try_from(parts.len()).unwrap() {
            all.update(aws_smithy_types::base64::decode(&parts[&number]).unwrap());
        }
        let all = format!("{}-{}", base64(&all.finalize()), parts.len());
        done.output.checksum_sha256 = self.checksums.then_some(all);
        Ok(done)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let id = request.input.upload_id.clone();
        let known = self.uploads.lock().unwrap().contains_key(&id);
        if !known {
            return Err(s3_error!(NoSuchUpload));
        }
        self.uploads.lock().unwrap().remove(&id);
        match self.files.abort_multipart_upload(request).await {
            // One that only was begun here.
            Err(error) if *error.code() == s3s::S3ErrorCode::AccessDenied => {
                Ok(S3Response::new(AbortMultipartUploadOutput::default()))
            }
            done => done,
        }
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let prefix = request.input.prefix.unwrap_or_default();
        let uploads = self.uploads.lock().unwrap();
        let uploads = uploads.iter().filter(|(_, (key, _))| key.starts_with(&prefix));
        let upload = |(id, (key, _)): (&String, &(String, _))| MultipartUpload {
            key: Some(key.clone()),
            upload_id: Some(id.clone()),
            ..MultipartUpload::default()
        };
        Ok(S3Response::new(ListMultipartUploadsOutput {
            uploads: Some(uploads.map(upload).collect()),
            is_truncated: Some(false),
            ..ListMultipartUploadsOutput::default()
        }))
    }
}
