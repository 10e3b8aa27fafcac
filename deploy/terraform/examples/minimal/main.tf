# The minimum: terraform init && terraform apply -var-file=my.tfvars

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }
}

variable "region" { type = string }
variable "host" { type = string }
variable "certificate_arn" { type = string }
variable "vpc_id" { type = string }
variable "public_subnet_ids" { type = list(string) }
variable "private_subnet_ids" { type = list(string) }
variable "package_url" { type = string }
variable "package_sha256" { type = string }

provider "aws" {
  region = var.region

  default_tags {
    tags = { Project = "access-log-tracker" }
  }
}

module "alt" {
  source = "../.."

  host               = var.host
  certificate_arn    = var.certificate_arn
  vpc_id             = var.vpc_id
  public_subnet_ids  = var.public_subnet_ids
  private_subnet_ids = var.private_subnet_ids
  package_url        = var.package_url
  package_sha256     = var.package_sha256
}

output "target" { value = module.alt.target }
output "scripts_url" { value = module.alt.scripts_url }
output "scripts_bucket" { value = module.alt.scripts_bucket }
output "archive_url" { value = module.alt.archive_url }
