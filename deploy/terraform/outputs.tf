output "target" {
  description = "What the name `host` has to point at, by CNAME or alias."
  value       = local.behind_cloudfront ? aws_cloudfront_distribution.this.domain_name : aws_lb.this.dns_name
}

output "scripts_url" {
  description = "Where the beacon's scripts are."
  value       = "https://${local.behind_cloudfront ? var.host : aws_cloudfront_distribution.this.domain_name}/s/"
}

output "scripts_bucket" {
  description = "Where they are put, under s/."
  value       = aws_s3_bucket.scripts.id
}

output "archive_url" {
  value = "s3://${aws_s3_bucket.archive.id}/${local.archive_prefix}"
}

output "database_url" {
  description = "Without the password."
  value       = local.database_url
}

output "database_secret_arn" {
  value = local.secret_arn
}

output "database_security_group_id" {
  description = "For rules that let analysts in."
  value       = aws_security_group.database.id
}

output "instance_role_name" {
  value = aws_iam_role.instance.name
}
