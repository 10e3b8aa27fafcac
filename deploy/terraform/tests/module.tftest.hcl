# What the module comes to, planned without AWS: `terraform test` (its answers are made up; see README.md).

mock_provider "aws" {
  override_during = plan

  mock_data "aws_subnet" {
    defaults = { cidr_block = "10.0.0.0/24" }
  }
  mock_data "aws_ec2_managed_prefix_list" {
    defaults = { id = "pl-cloudfront" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { id = "bucket", bucket = "bucket", arn = "arn:aws:s3:::bucket" }
  }
  mock_resource "aws_lb" {
    defaults = { dns_name = "balancer.example", arn = "arn:aws:elb", arn_suffix = "app/alt/1" }
  }
  mock_resource "aws_cloudfront_distribution" {
    defaults = { domain_name = "cloudfront.example", arn = "arn:aws:cloudfront" }
  }
  mock_resource "aws_db_instance" {
    defaults = {
      address            = "rds.example"
      identifier         = "rds"
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds" }]
    }
  }
  mock_resource "aws_rds_cluster" {
    defaults = {
      id                 = "aurora"
      endpoint           = "aurora.example"
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:aurora" }]
    }
  }
}

variables {
  host               = "events.example.com"
  certificate_arn    = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
  vpc_id             = "vpc-1"
  public_subnet_ids  = ["subnet-1", "subnet-2"]
  private_subnet_ids = ["subnet-3", "subnet-4"]
  package_url        = "https://packages.example/alt.rpm"
  package_sha256     = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
}

run "minimum" {
  command = plan

  assert {
    condition     = length(local.statements) == 4
    error_message = "an instance may do more than archive, list, read one secret and drain"
  }
  assert {
    condition     = !strcontains(jsonencode(local.statements), "Delete") && !strcontains(jsonencode(local.statements), ":*\"")
    error_message = "an instance may delete, or do anything at all"
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 0
    error_message = "alarms without being asked for"
  }
  assert {
    condition     = output.target == "balancer.example" && output.scripts_url == "https://cloudfront.example/s/"
    error_message = "the host has to point at the load balancer"
  }
  assert {
    condition     = length(base64encode(local.user_data)) < 16384 * 4 / 3 && strcontains(local.user_data, "postgres://alt@rds.example:5432/alt?sslmode=verify-full&")
    error_message = "user data are too long for EC2, or do not name the database"
  }
}

run "everything" {
  command = plan

  variables {
    database_engine            = "aurora-postgresql"
    cloudfront_certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/2"
    package_url                = "s3://packages/alt.rpm"
    cloudwatch_agent           = true
    alarm_topic_arn            = "arn:aws:sns:eu-central-1:123456789012:ops"
    session_manager            = true
  }
  assert {
    condition     = length(local.statements) == 6 && one([for s in local.statements : s.Resource if s.Sid == "Package"]) == "arn:aws:s3:::packages/alt.rpm"
    error_message = "the rights for the package and the agent"
  }
  assert {
    condition     = [for alarm in aws_cloudwatch_metric_alarm.this : alarm.dimensions if alarm.namespace == "AWS/RDS"][0] == tomap({ DBClusterIdentifier = "aurora" })
    error_message = "alarms on another database"
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.http) == 0 && aws_vpc_security_group_ingress_rule.https.prefix_list_id == "pl-cloudfront"
    error_message = "the load balancer lets others in than CloudFront"
  }
  assert {
    condition     = output.target == "cloudfront.example" && output.scripts_url == "https://events.example.com/s/"
    error_message = "the host has to point at CloudFront"
  }
  assert {
    condition     = strcontains(local.user_data, "CLOUDFRONT='yes'") && strcontains(local.user_data, "@aurora.example:5432")
    error_message = "user data"
  }
}

run "a_name_that_is_none" {
  command = plan
  variables {
    host = "events.example.com'; rm -rf /"
  }
  expect_failures = [var.host]
}
