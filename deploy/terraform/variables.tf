# What must be given.

variable "host" {
  description = "Host name that beacons are sent to, such as events.example.com; point it at the output `target`."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", var.host))
    error_message = "A host name in lower case."
  }
}

variable "certificate_arn" {
  description = "ACM certificate of `host`, in the region of the load balancer."
  type        = string
}

variable "vpc_id" {
  type = string
}

variable "public_subnet_ids" {
  description = "For the load balancer: two or more, in different zones."
  type        = list(string)
}

variable "private_subnet_ids" {
  description = "For instances and database: two or more, in different zones, with a way out by 443 (NAT)."
  type        = list(string)
}

variable "package_url" {
  description = "alt's package, .rpm for Amazon Linux and .deb for Debian and Ubuntu, of the instances' architecture: https:// or s3://BUCKET/KEY."
  type        = string
  validation {
    condition     = can(regex("^(https|s3)://[A-Za-z0-9._~/%+=?&:-]+$", var.package_url))
    error_message = "https:// or s3://BUCKET/KEY."
  }
}

variable "package_sha256" {
  description = "SHA-256 of the package, as sha256sum prints it."
  type        = string
  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.package_sha256))
    error_message = "64 hexadecimal digits in lower case."
  }
}

# What may be given.

variable "name" {
  description = "Name of the auto-scaling group, and beginning of all other names."
  type        = string
  default     = "alt"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "Up to 20 letters, digits and hyphens."
  }
}

variable "instance_type" {
  type    = string
  default = "t4g.small"
}

variable "ami_parameter" {
  description = "SSM parameter of the image: Amazon Linux 2023, Debian or Ubuntu, of the architecture of instance_type."
  type        = string
  default     = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
}

variable "min_size" {
  type    = number
  default = 2
}

variable "max_size" {
  description = "There is no limit of alt's own: each instance has a log of its own. Each takes 3 or 4 connections of the database."
  type        = number
  default     = 4
}

variable "volume_gib" {
  description = "The log is the queue: room for local_log_days of logs, and for as long as the database may be away."
  type        = number
  default     = 30
}

variable "local_log_days" {
  description = "Archived logs are kept on the instance for this long."
  type        = number
  default     = 3
}

variable "archive_days" {
  description = "Raw logs are personal data, and deleted from the archive at this age."
  type        = number
  default     = 400
}

variable "database_engine" {
  type    = string
  default = "postgres"
  validation {
    condition     = contains(["postgres", "aurora-postgresql"], var.database_engine)
    error_message = "postgres or aurora-postgresql."
  }
}

variable "database_version" {
  description = "Major version of PostgreSQL, 14 to 18."
  type        = string
  default     = "17"
}

variable "database_class" {
  type    = string
  default = "db.t4g.medium"
}

variable "database_gib" {
  description = "Storage at first; grows to ten times that by itself (Aurora grows without being told)."
  type        = number
  default     = 50
}

variable "database_standby" {
  description = "A second machine for the database, in another zone."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Of the database and the load balancer."
  type        = bool
  default     = true
}

variable "cloudfront_certificate_arn" {
  description = "ACM certificate of `host` in us-east-1: CloudFront then answers to `host`, and passes events to the load balancer, which lets nobody else in. Empty: CloudFront serves the scripts only."
  type        = string
  default     = ""
}

variable "session_manager" {
  description = "Lets administrators log in by SSM Session Manager."
  type        = bool
  default     = false
}

variable "cloudwatch_agent" {
  description = "Sends alt's metrics and messages to CloudWatch (monitoring/cloudwatch)."
  type        = bool
  default     = false
}

variable "alarm_topic_arn" {
  description = "SNS topic that alarms go to; empty: no alarms."
  type        = string
  default     = ""
}
