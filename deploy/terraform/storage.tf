# The archive of raw logs, and the beacon's scripts with CloudFront before them.

resource "aws_s3_bucket" "archive" {
  #checkov:skip=CKV_AWS_18:a log of accesses needs a bucket of its own; CloudTrail's data events tell the same
  #checkov:skip=CKV_AWS_144:a copy in another region is a decision about personal data, and yours
  #checkov:skip=CKV_AWS_145:S3's own keys (AES256); one of your own that gets lost takes the archive with it
  #checkov:skip=CKV2_AWS_62:nobody waits for new objects; alt's ledger knows them
  bucket_prefix = "${var.name}-archive-"

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket" "scripts" {
  #checkov:skip=CKV_AWS_18:public scripts
  #checkov:skip=CKV_AWS_21:public scripts, made anew by a command
  #checkov:skip=CKV_AWS_144:public scripts
  #checkov:skip=CKV_AWS_145:public scripts
  #checkov:skip=CKV2_AWS_61:public scripts, for ever
  #checkov:skip=CKV2_AWS_62:public scripts
  bucket_prefix = "${var.name}-scripts-"
  force_destroy = true
}

locals {
  archive_prefix = "logs"
  buckets        = { archive = aws_s3_bucket.archive, scripts = aws_s3_bucket.scripts }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each                = local.buckets
  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets
  bucket   = each.value.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# alt overwrites and deletes nothing, so versions cost nothing; they keep the logs from whoever breaks into an
# instance, which may put objects.
resource "aws_s3_bucket_versioning" "archive" {
  bucket = aws_s3_bucket.archive.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "archive" {
  bucket = aws_s3_bucket_versioning.archive.bucket

  rule {
    id     = "raw-logs"
    status = "Enabled"

    filter {
      prefix = "${local.archive_prefix}/"
    }
    transition {
      days          = 30
      storage_class = "STANDARD_IA"
    }
    expiration {
      days = var.archive_days
    }
    noncurrent_version_expiration {
      noncurrent_days = 30
    }
  }

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}
    expiration {
      expired_object_delete_marker = true
    }
    # Of uploads that a machine did not live to end.
    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets
  bucket   = each.value.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [each.value.arn, "${each.value.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for statement in [{
        Sid       = "CloudFront"
        Effect    = "Allow"
        Principal = { Service = "cloudfront.amazonaws.com" }
        Action    = "s3:GetObject"
        Resource  = "${each.value.arn}/s/*"
        Condition = { StringEquals = { "AWS:SourceArn" = aws_cloudfront_distribution.this.arn } }
      }] : statement if each.key == "scripts"],
    )
  })
}

resource "aws_cloudfront_origin_access_control" "scripts" {
  name                              = "${var.name}-scripts"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# As nginx answers for its own scripts: fetched with crossorigin for the integrity hash.
resource "aws_cloudfront_response_headers_policy" "scripts" {
  #checkov:skip=CKV_AWS_259:HSTS for this host, without a word on its subdomains, which are not ours
  name = "${var.name}-scripts"

  cors_config {
    access_control_allow_credentials = false
    origin_override                  = true

    access_control_allow_headers {
      items = ["*"]
    }
    access_control_allow_methods {
      items = ["GET", "HEAD", "OPTIONS"]
    }
    access_control_allow_origins {
      items = ["*"]
    }
  }

  custom_headers_config {
    items {
      header   = "Cross-Origin-Resource-Policy"
      value    = "cross-origin"
      override = true
    }
  }

  security_headers_config {
    content_type_options {
      override = true
    }
    strict_transport_security {
      access_control_max_age_sec = 31536000
      override                   = true
    }
  }
}

data "aws_cloudfront_cache_policy" "optimized" {
  name = "Managed-CachingOptimized"
}

data "aws_cloudfront_cache_policy" "disabled" {
  name = "Managed-CachingDisabled"
}

data "aws_cloudfront_origin_request_policy" "all_viewer" {
  name = "Managed-AllViewer"
}

resource "aws_cloudfront_distribution" "this" {
  #checkov:skip=CKV_AWS_68:nginx limits the rate; a WAF can be attached from outside, and costs by the request
  #checkov:skip=CKV2_AWS_47:nothing behind it is Java
  #checkov:skip=CKV_AWS_86:every event is in nginx's log; CloudFront's would be a second copy of personal data
  #checkov:skip=CKV_AWS_174:TLS 1.2 at least with a certificate of yours; CloudFront's own does not let one choose
  #checkov:skip=CKV2_AWS_42:with cloudfront_certificate_arn
  #checkov:skip=CKV_AWS_305:there are scripts and events, and nothing to see
  #checkov:skip=CKV_AWS_310:a second origin would be a second deployment
  #checkov:skip=CKV_AWS_374:visitors come from everywhere
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  comment         = var.name
  aliases         = local.behind_cloudfront ? [var.host] : []

  origin {
    origin_id                = "scripts"
    domain_name              = aws_s3_bucket.scripts.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.scripts.id
  }

  dynamic "origin" {
    for_each = local.behind_cloudfront ? [aws_lb.this.dns_name] : []

    content {
      origin_id   = "events"
      domain_name = origin.value

      custom_origin_config {
        http_port              = 80
        https_port             = 443
        origin_protocol_policy = "https-only"
        origin_ssl_protocols   = ["TLSv1.2"]
      }
    }
  }

  default_cache_behavior {
    target_origin_id           = "scripts"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD", "OPTIONS"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = data.aws_cloudfront_cache_policy.optimized.id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.scripts.id
  }

  # With the Host that the visitor asked for, which is the one of the load balancer's certificate.
  dynamic "ordered_cache_behavior" {
    for_each = local.behind_cloudfront ? ["/b", "/api/v1/track"] : []

    content {
      path_pattern             = ordered_cache_behavior.value
      target_origin_id         = "events"
      viewer_protocol_policy   = "redirect-to-https"
      allowed_methods          = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
      cached_methods           = ["GET", "HEAD"]
      cache_policy_id          = data.aws_cloudfront_cache_policy.disabled.id
      origin_request_policy_id = data.aws_cloudfront_origin_request_policy.all_viewer.id
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = local.behind_cloudfront ? null : true
    acm_certificate_arn            = local.behind_cloudfront ? var.cloudfront_certificate_arn : null
    ssl_support_method             = local.behind_cloudfront ? "sni-only" : null
    minimum_protocol_version       = local.behind_cloudfront ? "TLSv1.2_2021" : "TLSv1"
  }
}
