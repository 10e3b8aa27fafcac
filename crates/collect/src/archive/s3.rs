//! An archive in S3, or in a store with the same protocol.
//!
//! Every object, and every part of a large object, is sent with its SHA-256, which the store checks and returns: the
//! copy is then proven. A store that refuses requests with checksums gets them without, from then on, and the copy has to
//! be read back. One request never sends more than a part, so memory use does not grow with the object. The
//! client itself makes three attempts; further retries are up to the caller.

use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alt_process::clock;
use alt_process::fault;
use alt_process::stop::{Stop, Stopped};
use anyhow::{Context, bail};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, ServerSideEncryption, StorageClass,
};
use aws_smithy_http_client::tls;
use aws_smithy_types::base64;
use aws_smithy_types::date_time::{DateTime, Format};
use sha2::Digest;
use tokio::runtime::Runtime;

use super::Published;
use super::name::Name;
use super::target::{Bytes, Found, Listed, Packed, Put, Sha256, Target};

/// The size of a part, and the maximum size of an object that is sent in one piece.
const PART_BYTES: u64 = 8 << 20;

/// The maximum number of parts of an object.
const PARTS_MAX: u64 = 10_000;

/// The timeout of one attempt: enough for a part at half a megabit per second.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(180);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum time without data from the store.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The maximum time for discarding the parts of a failed upload; it may be time to stop.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

/// The difference of clocks with which stores accept signatures, by the protocol: 15 minutes.
const SKEW_MAX_SECONDS: i64 = 900;

/// The metadata key for the SHA-256 of an object's log.
const RAW_SHA256: &str = "raw-sha256";

/// Cache lifetimes in browsers and CDNs for files that change, and for files that never change; the same as in nginx
/// (alt-http.conf).
const CHANGING: &str = "public, max-age=3600";
const FIXED: &str = "public, max-age=31536000, immutable";

/// A bucket, and a prefix in it.
pub(super) struct S3 {
    runtime: Arc<Runtime>,
    client: Client,
    bucket: String,
    prefix: String,
    kms_key: Option<String>,
    encryption: Option<ServerSideEncryption>,
    storage_class: Option<StorageClass>,
    tags: Option<String>,
    /// The store refuses requests with checksums.
    refuses_checksums: AtomicBool,
    stop: Arc<Stop>,
}

impl S3 {
    /// Credentials come from the usual places: environment, profile, web identity, container, EC2 instance role.
    ///
    /// # Errors
    /// There is no runtime, or it is time to stop.
    pub(super) fn new(
        archive: &alt_config::Archive,
        bucket: &str,
        prefix: &str,
        stop: Arc<Stop>,
    ) -> anyhow::Result<S3> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("alt-s3")
            .enable_all()
            .build()
            .context("start a runtime")?;
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(fault::wait(CONNECT_TIMEOUT))
            .read_timeout(fault::wait(READ_TIMEOUT))
            .operation_attempt_timeout(fault::wait(ATTEMPT_TIMEOUT))
            .build();
        let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(timeouts);
        let loader = match &archive.region {
            Some(region) => loader.region(Region::new(region.clone())),
            None => loader,
        };
        let shared = runtime.block_on(async {
            tokio::select! {
                shared = loader.load() => Ok(shared),
                () = stop.wait() => Err(Stopped),
            }
        })?;
        let mut builder = aws_sdk_s3::config::Builder::from(&shared)
            .force_path_style(archive.path_style)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(endpoint) = &archive.endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        match shared.region() {
            Some(_) => {}
            // Stores other than AWS require a signed region, and rarely care which.
            None if archive.endpoint.is_some() => builder = builder.region(Region::new("us-east-1")),
            None => bail!(
                "no AWS region is known: set region in [archive], or AWS_REGION (on EC2 the instance's own is asked \
                 for, and did not answer)"
            ),
        }
        Ok(S3 {
            runtime: Arc::new(runtime),
            client: Client::from_conf(builder.build()),
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            encryption: archive.encryption.as_deref().map(ServerSideEncryption::from),
            kms_key: archive.kms_key.clone(),
            storage_class: archive.storage_class.as_deref().map(StorageClass::from),
            tags: (!archive.tags.is_empty()).then(|| query(&archive.tags)),
            refuses_checksums: AtomicBool::new(false),
            stop,
        })
    }

    fn key(&self, key: &str) -> String {
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) }
    }

    /// Runs `work`, unless it is time to stop first.
    fn block_on<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        self.runtime.block_on(async {
            tokio::select! {
                done = work => done,
                () = self.stop.wait() => Err(Stopped.into()),
            }
        })
    }

    fn put_with(&self, key: &str, object: &Packed, with_checksum: bool) -> anyhow::Result<Put> {
        if object.bytes <= PART_BYTES {
            self.block_on(self.put_whole(key, object, with_checksum))
        } else {
            // This call checks for the stop itself, because an upload must then be removed.
            self.runtime.block_on(self.put_parts(key, object, with_checksum))
        }
    }

    async fn put_whole(&self, key: &str, object: &Packed, with_checksum: bool) -> anyhow::Result<Put> {
        let sent = base64::encode(object.sha256);
        let request = |body: Vec<u8>, only_if_new: bool| {
            let request = self
                .client
                .put_object()
                .bucket(&self.bucket)
                .key(self.key(key))
                .body(ByteStream::from(body))
                .set_checksum_sha256(with_checksum.then(|| sent.clone()))
                .metadata(RAW_SHA256, hex(&object.raw_sha256))
                .set_server_side_encryption(self.encryption.clone())
                .set_ssekms_key_id(self.kms_key.clone())
                .set_storage_class(self.storage_class.clone())
                .set_tagging(self.tags.clone());
            if only_if_new { request.if_none_match("*").send() } else { request.send() }
        };
        self.unless_there("store", key, async |only_if_new| {
            let body = piece(object, 0, object.bytes)?;
            Ok(request(body, only_if_new).await)
        })
        .await
        .map(|done| done.map_or(Put::Exists, |done| proven(done.checksum_sha256(), &sent)))
    }

    /// Stores something, unless an object with that name exists; `None`: it exists.
    async fn unless_there<T, E>(
        &self,
        verb: &str,
        key: &str,
        request: impl AsyncFn(bool) -> anyhow::Result<Result<T, SdkError<E>>>,
    ) -> anyhow::Result<Option<T>>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut done = request(true).await?;
        if done.as_ref().is_err_and(|error| code(error) == Some("NotImplemented")) {
            // The store does not support the condition; the existence of the object was checked before.
            done = request(false).await?;
        }
        match done {
            Ok(done) => Ok(Some(done)),
            Err(error) if status(&error) == Some(412) => Ok(None),
            Err(error) => Err(failed(verb, &self.uri(key), &error)),
        }
    }

    /// Publishes a file for browsers. A file that never changes is sent only if it does not exist. Returns whether it
    /// was sent.
    pub(super) fn publish(&self, file: &Published<'_>) -> anyhow::Result<bool> {
        self.block_on(async {
            let request = |only_if_new: bool| {
                let request = self
                    .client
                    .put_object()
                    .bucket(&self.bucket)
                    .key(self.key(file.name))
                    .content_type("text/javascript; charset=utf-8")
                    .cache_control(if file.is_fixed { FIXED } else { CHANGING })
                    .body(ByteStream::from(file.text.as_bytes().to_vec()));
                if only_if_new { request.if_none_match("*").send() } else { request.send() }
            };
            if file.is_fixed {
                let sent =
                    self.unless_there("publish", file.name, async |new| Ok(request(new).await)).await?;
                return Ok(sent.is_some());
            }
            match request(false).await {
                Ok(_) => Ok(true),
                Err(error) => Err(failed("publish", &self.uri(file.name), &error)),
            }
        })
    }

    async fn put_parts(&self, key: &str, object: &Packed, with_checksum: bool) -> anyhow::Result<Put> {
        let begin = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(self.key(key))
            .set_checksum_algorithm(with_checksum.then_some(ChecksumAlgorithm::Sha256))
            .metadata(RAW_SHA256, hex(&object.raw_sha256))
            .set_server_side_encryption(self.encryption.clone())
            .set_ssekms_key_id(self.kms_key.clone())
            .set_storage_class(self.storage_class.clone())
            .set_tagging(self.tags.clone())
            .send();
        // An upload that starts but whose answer is lost is removed at the next start.
        let begun = tokio::select! {
            begun = begin => begun.map_err(|error| failed("begin to store", &self.uri(key), &error))?,
            () = self.stop.wait() => return Err(Stopped.into()),
        };
        let upload = begun.upload_id().context("the store began an upload without saying its id")?;
        let done = tokio::select! {
            done = self.parts(key, object, upload, with_checksum) => done,
            () = self.stop.wait() => Err(Stopped.into()),
        };
        if !matches!(done, Ok(Put::Proven | Put::Unproven)) {
            // Parts cost money and are invisible. Parts that remain now are removed at the next start.
            let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(self.key(key));
            let _ = tokio::time::timeout(ABORT_TIMEOUT, abort.upload_id(upload).send()).await;
        }
        done
    }

    async fn parts(
        &self,
        key: &str,
        object: &Packed,
        upload: &str,
        with_checksum: bool,
    ) -> anyhow::Result<Put> {
        let part_bytes = PART_BYTES.max(object.bytes.div_ceil(PARTS_MAX));
        let (mut parts, mut of_all) = (Vec::new(), sha2::Sha256::new());
        let mut at = 0;
        while at < object.bytes {
            let bytes = piece(object, at, part_bytes.min(object.bytes - at))?;
            at += bytes.len() as u64;
            let hash = sha2::Sha256::digest(&bytes);
            of_all.update(hash);
            let (sent, number) = (base64::encode(hash), i32::try_from(parts.len() + 1)?);
            let part = self
                .client
                .upload_part()
                .bucket(&self.bucket)
                .key(self.key(key))
                .upload_id(upload)
                .part_number(number)
                .set_checksum_sha256(with_checksum.then(|| sent.clone()))
                .body(ByteStream::from(bytes))
                .send()
                .await
                .map_err(|error| failed(&format!("store part {number} of"), &self.uri(key), &error))?;
            if part.checksum_sha256().is_some_and(|theirs| theirs != sent) {
                bail!("{} got other bytes of part {number} than were sent", self.uri(key));
            }
            let known = part.checksum_sha256().map(str::to_owned);
            parts.push(
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(part.e_tag().map(str::to_owned))
                    .set_checksum_sha256(known)
                    .build(),
            );
        }
        let all = format!("{}-{}", base64::encode(of_all.finalize()), parts.len());
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = |only_if_new: bool| {
            let request = self
                .client
                .complete_multipart_upload()
                .bucket(&self.bucket)
                .key(self.key(key))
                .upload_id(upload)
                .multipart_upload(parts.clone());
            if only_if_new { request.if_none_match("*").send() } else { request.send() }
        };
        self.unless_there("store the parts of", key, async |only_if_new| Ok(request(only_if_new).await))
            .await
            .map(|done| done.map_or(Put::Exists, |done| proven(done.checksum_sha256(), &all)))
    }
}

/// Compares the store's checksum of the received bytes with that of the sent bytes.
fn proven(theirs: Option<&str>, ours: &str) -> Put {
    if theirs == Some(ours) { Put::Proven } else { Put::Unproven }
}

fn piece(object: &Packed, at: u64, bytes: u64) -> anyhow::Result<Vec<u8>> {
    let mut piece = vec![0; usize::try_from(bytes)?];
    object.file.read_exact_at(&mut piece, at).context("read the spooled object")?;
    Ok(piece)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Sha256> {
    let mut bytes = Sha256::default();
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[n * 2..n * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

/// Tags in the format of the protocol: a query string.
fn query(tags: &std::collections::BTreeMap<String, String>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    tags.iter().for_each(|(name, value)| _ = query.append_pair(name, value));
    query.finish()
}

fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// An error message for people: what, where, why, and the remedy if known.
fn failed<E>(verb: &str, uri: &str, error: &SdkError<E>) -> anyhow::Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let said = match error {
        SdkError::ServiceError(service) => {
            let meta = service.err().meta();
            let status = service.raw().status().as_u16();
            match (meta.code(), meta.message()) {
                (Some(code), Some(message)) => format!("{status} {code}: {message}"),
                (Some(code), None) => format!("{status} {code}"),
                _ => format!("status {status}"),
            }
        }
        other => {
            DisplayErrorContext(other).to_string().split(" (").next().unwrap_or_default().to_owned()
                + &cause(other)
        }
    };
    let ahead = clock_error(error);
    let mend = match (code(error), status(error)) {
        (Some("NoSuchBucket"), _) => "; make the bucket, or mend url in [archive]".to_owned(),
        (Some("RequestTimeTooSkewed" | "RequestExpired"), _) => wrong_clock(ahead),
        // The answer to a HEAD has no code.
        (None, Some(403)) if ahead.is_some_and(|seconds| seconds.abs() > SKEW_MAX_SECONDS) => {
            wrong_clock(ahead)
        }
        (Some("AccessDenied" | "InvalidAccessKeyId" | "SignatureDoesNotMatch"), _) | (_, Some(403)) => {
            "; the credentials do not allow it (docs/ARCHIVE.md has the policy)".to_owned()
        }
        (_, Some(301)) => "; the bucket is in another region: set region in [archive]".to_owned(),
        _ => String::new(),
    };
    let said = format!("{verb} {uri}: {said}{mend}");
    if refuses_checksum(error) { RefusesChecksum(said).into() } else { anyhow::Error::msg(said) }
}

/// The store refused a request because it had a checksum, as far as the answer shows.
#[derive(Debug)]
struct RefusesChecksum(String);

impl std::fmt::Display for RefusesChecksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RefusesChecksum {}

/// Whether a request may succeed without its checksum. Stores name the header that they refuse, or only say that they do
/// not implement something. A checksum that differs from that of the received bytes is no such refusal.
fn refuses_checksum<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    if code(error) == Some("NotImplemented") {
        return true;
    }
    let differs = matches!(
        code(error),
        Some("BadDigest" | "InvalidDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch")
    );
    let message = error.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default();
    let message = message.to_ascii_lowercase();
    let names_it = ["x-amz-checksum-", "x-amz-sdk-checksum-"].iter().any(|header| message.contains(header));
    status(error) == Some(400) && names_it && !differs
}

/// By how many seconds this machine's clock is ahead of the clock of the store, by the date of its answer.
fn clock_error<E>(error: &SdkError<E>) -> Option<i64> {
    let date = error.raw_response()?.headers().get("date")?;
    let date = DateTime::from_str(date, Format::HttpDate).ok()?;
    Some(clock::now() / 1_000_000 - date.secs())
}

fn wrong_clock(ahead: Option<i64>) -> String {
    let by = match ahead {
        Some(seconds) if seconds.abs() > 1 => {
            let direction = if seconds > 0 { "ahead of" } else { "behind" };
            format!(" ({} s {direction} the store's)", seconds.abs())
        }
        _ => String::new(),
    };
    format!(
        "; this machine's clock is wrong{by}, and the store refuses signatures of another time: set the clock \
             (`timedatectl` shows whether it is synchronized)"
    )
}

/// The innermost cause of an error that is not an answer from the store.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    format!(": {innermost}")
}

/// The body of an answer, which is read by another thread than the one that receives it.
struct Body {
    runtime: Arc<Runtime>,
    stop: Arc<Stop>,
    stream: ByteStream,
    bytes: bytes::Bytes,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.bytes.is_empty() {
            let next = self.runtime.block_on(async {
                tokio::select! {
                    next = tokio::time::timeout(READ_TIMEOUT, self.stream.try_next()) => next,
                    () = self.stop.wait() => Ok(Err(io::Error::other(Stopped).into())),
                }
            });
            match next {
                Ok(Ok(Some(bytes))) => self.bytes = bytes,
                Ok(Ok(None)) => return Ok(0),
                Ok(Err(error)) => return Err(io::Error::other(error)),
                Err(late) => return Err(io::Error::new(io::ErrorKind::TimedOut, late)),
            }
        }
        let n = buffer.len().min(self.bytes.len());
        buffer[..n].copy_from_slice(&self.bytes.split_to(n));
        Ok(n)
    }
}

impl Target for S3 {
    fn uri(&self, key: &str) -> String {
        format!("s3://{}/{}", self.bucket, self.key(key))
    }

    fn put(&self, key: &str, object: &Packed) -> anyhow::Result<Put> {
        if self.refuses_checksums.load(Ordering::Relaxed) {
            return self.put_with(key, object, false);
        }
        match self.put_with(key, object, true) {
            Err(error) if error.is::<RefusesChecksum>() => {
                let put = self.put_with(key, object, false)?;
                self.refuses_checksums.store(true, Ordering::Relaxed);
                tracing::info!(
                    said = format!("{error:#}"),
                    "the store refuses checksums: each copy is read back to be proven"
                );
                Ok(put)
            }
            put => put,
        }
    }

    fn find(&self, key: &str) -> anyhow::Result<Option<Found>> {
        self.block_on(async {
            let head = self.client.head_object().bucket(&self.bucket).key(self.key(key)).send().await;
            match head {
                Ok(head) => {
                    let raw = head.metadata().and_then(|metadata| metadata.get(RAW_SHA256));
                    Ok(Some(Found {
                        bytes: head.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
                        raw_sha256: raw.and_then(|text| from_hex(text)),
                    }))
                }
                // A HEAD answer has no body, and so no error code: a missing bucket is detected when it is written to.
                Err(error) if status(&error) == Some(404) => Ok(None),
                Err(error) => Err(failed("look for", &self.uri(key), &error)),
            }
        })
    }

    fn read(&self, key: &str, which: Bytes) -> anyhow::Result<Box<dyn Read + Send>> {
        let range = match which {
            Bytes::All => None,
            Bytes::From(_, 0) | Bytes::Last(0) => return Ok(Box::new(io::empty())),
            Bytes::From(at, bytes) => Some(format!("bytes={at}-{}", at + bytes - 1)),
            Bytes::Last(bytes) => Some(format!("bytes=-{bytes}")),
        };
        let stream = self.block_on(async {
            let get = self.client.get_object().bucket(&self.bucket).key(self.key(key)).set_range(range);
            let got = get.send().await.map_err(|error| failed("read", &self.uri(key), &error))?;
            Ok(got.body)
        })?;
        let (runtime, stop) = (Arc::clone(&self.runtime), Arc::clone(&self.stop));
        Ok(Box::new(Body { runtime, stop, stream, bytes: bytes::Bytes::new() }))
    }

    fn list(&self, below: &str, each: &mut dyn FnMut(Listed) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let prefix = self.key("");
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(self.key(below))
            .into_paginator()
            .send();
        while let Some(page) = self.block_on(async { Ok(pages.next().await) })? {
            let page = page.map_err(|error| failed("list", &self.uri(below), &error))?;
            for object in page.contents() {
                let Some(key) = object.key().and_then(|key| key.strip_prefix(&prefix)) else { continue };
                let bytes = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
                each(Listed { key: key.to_owned(), bytes })?;
            }
        }
        Ok(())
    }

    fn sweep(&self, host: &str) -> anyhow::Result<u64> {
        let prefix = self.key("");
        self.block_on(async {
            let mut swept = 0;
            let (mut after_key, mut after_upload) = (None, None);
            loop {
                let page = self
                    .client
                    .list_multipart_uploads()
                    .bucket(&self.bucket)
                    .prefix(&prefix)
                    .set_key_marker(after_key)
                    .set_upload_id_marker(after_upload)
                    .send()
                    .await
                    .map_err(|error| failed("list unfinished uploads to", &self.uri(""), &error))?;
                for upload in page.uploads() {
                    let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
                    if Name::parse(key).is_none_or(|name| name.host != host) {
                        continue;
                    }
                    let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(key);
                    let aborted = abort.upload_id(id).send().await;
                    match aborted {
                        Ok(_) => swept += 1,
                        // The upload has ended in the meantime, successfully or not.
                        Err(error) if status(&error) == Some(404) => {}
                        Err(error) => return Err(failed("end an upload to", key, &error)),
                    }
                }
                if page.is_truncated() != Some(true) {
                    return Ok(swept);
                }
                after_key = page.next_key_marker().map(str::to_owned);
                after_upload = page.next_upload_id_marker().map(str::to_owned);
            }
        })
    }

    fn remove(&self, key: &str) -> anyhow::Result<()> {
        self.block_on(async {
            let removed = self.client.delete_object().bucket(&self.bucket).key(self.key(key)).send().await;
            match removed {
                Err(error) if code(&error) != Some("NoSuchKey") => {
                    Err(failed("remove", &self.uri(key), &error))
                }
                _ => Ok(()),
            }
        })
    }
}
