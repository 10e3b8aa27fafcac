//! Objects in a directory by `s3s-fs`, and what that leaves out: checksums of parts, conditions on uploads of parts,
//! listing those.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use sha2::{Digest, Sha256};

/// The store behind the protocol.
pub struct Store {
    files: FileSystem,
    root: PathBuf,
    uploads: Uploads,
    checksums: bool,
}

/// Uploads that have begun: their keys, and the checksums of their parts, by their ids.
pub type Uploads = Arc<Mutex<HashMap<String, (String, HashMap<i32, String>)>>>;

impl Store {
    /// Objects below `root`, where a bucket is a directory; one that says nothing of checksums behaves as older stores.
    ///
    /// # Panics
    /// There is no such directory.
    pub fn new(root: PathBuf, uploads: Uploads, checksums: bool) -> Store {
        Store { files: FileSystem::new(&root).unwrap(), root, uploads, checksums }
    }

    fn is_there(&self, bucket: &str, key: &str) -> bool {
        std::fs::metadata(self.root.join(bucket).join(key)).is_ok()
    }
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
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
            all.update(STANDARD.decode(&parts[&number]).unwrap());
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
