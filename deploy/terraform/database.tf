# PostgreSQL: RDS or Aurora. RDS makes the password, keeps it in Secrets Manager and changes it every week.

locals {
  aurora        = var.database_engine == "aurora-postgresql"
  database_host = local.aurora ? one(aws_rds_cluster.this[*].endpoint) : one(aws_db_instance.this[*].address)
  database_url  = "postgres://alt@${local.database_host}:5432/alt?sslmode=verify-full&sslrootcert=/etc/alt/rds-ca.pem"
  secret_arn    = local.aurora ? one(aws_rds_cluster.this[*].master_user_secret[0].secret_arn) : one(aws_db_instance.this[*].master_user_secret[0].secret_arn)
}

resource "aws_db_subnet_group" "this" {
  name_prefix = "${var.name}-"
  subnet_ids  = var.private_subnet_ids
}

resource "aws_db_parameter_group" "this" {
  count       = local.aurora ? 0 : 1
  name_prefix = "${var.name}-"
  family      = "postgres${var.database_version}"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_161:alt logs in with a password, over TLS; RDS changes it every week
  #checkov:skip=CKV_AWS_157:database_standby is a variable, and on by default
  #checkov:skip=CKV_AWS_293:deletion_protection is a variable, and on by default
  #checkov:skip=CKV_AWS_118:enhanced monitoring needs a role of its own; the alarms go by what RDS measures anyway
  #checkov:skip=CKV_AWS_354:the key of AWS will do: insights hold no rows
  #checkov:skip=CKV2_AWS_30:a log of statements would be a copy of personal data
  count                               = local.aurora ? 0 : 1
  identifier_prefix                   = "${var.name}-"
  engine                              = "postgres"
  engine_version                      = var.database_version
  instance_class                      = var.database_class
  allocated_storage                   = var.database_gib
  max_allocated_storage               = var.database_gib * 10
  storage_type                        = "gp3"
  storage_encrypted                   = true
  db_name                             = "alt"
  username                            = "alt"
  manage_master_user_password         = true
  db_subnet_group_name                = aws_db_subnet_group.this.name
  vpc_security_group_ids              = [aws_security_group.database.id]
  parameter_group_name                = aws_db_parameter_group.this[0].name
  multi_az                            = var.database_standby
  publicly_accessible                 = false
  backup_retention_period             = 14
  copy_tags_to_snapshot               = true
  auto_minor_version_upgrade          = true
  performance_insights_enabled        = true
  enabled_cloudwatch_logs_exports     = ["postgresql", "upgrade"]
  deletion_protection                 = var.deletion_protection
  final_snapshot_identifier           = "${var.name}-final"
  iam_database_authentication_enabled = false

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_rds_cluster_parameter_group" "this" {
  count       = local.aurora ? 1 : 0
  name_prefix = "${var.name}-"
  family      = "aurora-postgresql${var.database_version}"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_rds_cluster" "this" {
  #checkov:skip=CKV_AWS_162:alt logs in with a password, over TLS; RDS changes it every week
  #checkov:skip=CKV_AWS_139:deletion_protection is a variable, and on by default
  #checkov:skip=CKV_AWS_327:the key of AWS will do; one of your own that gets lost takes the rows with it
  #checkov:skip=CKV2_AWS_8:14 days of backups are RDS's own; a plan of AWS Backup is yours to add
  #checkov:skip=CKV2_AWS_27:a log of statements would be a copy of personal data
  count                           = local.aurora ? 1 : 0
  cluster_identifier_prefix       = "${var.name}-"
  engine                          = "aurora-postgresql"
  engine_version                  = var.database_version
  storage_encrypted               = true
  database_name                   = "alt"
  master_username                 = "alt"
  manage_master_user_password     = true
  db_subnet_group_name            = aws_db_subnet_group.this.name
  vpc_security_group_ids          = [aws_security_group.database.id]
  db_cluster_parameter_group_name = aws_rds_cluster_parameter_group.this[0].name
  backup_retention_period         = 14
  copy_tags_to_snapshot           = true
  enabled_cloudwatch_logs_exports = ["postgresql"]
  deletion_protection             = var.deletion_protection
  final_snapshot_identifier       = "${var.name}-final"

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_rds_cluster_instance" "this" {
  #checkov:skip=CKV_AWS_118:enhanced monitoring needs a role of its own; the alarms go by what RDS measures anyway
  #checkov:skip=CKV_AWS_354:the key of AWS will do: insights hold no rows
  count                        = local.aurora ? (var.database_standby ? 2 : 1) : 0
  identifier_prefix            = "${var.name}-"
  cluster_identifier           = aws_rds_cluster.this[0].id
  engine                       = aws_rds_cluster.this[0].engine
  engine_version               = aws_rds_cluster.this[0].engine_version
  instance_class               = var.database_class
  db_subnet_group_name         = aws_db_subnet_group.this.name
  auto_minor_version_upgrade   = true
  performance_insights_enabled = true
}
