# The instances: what they may do, how they begin, and how they end.

data "aws_ssm_parameter" "image" {
  name = var.ami_parameter
}

data "aws_ami" "this" {
  #checkov:skip=CKV_AWS_386:one image, by its id
  filter {
    name   = "image-id"
    values = [data.aws_ssm_parameter.image.insecure_value]
  }
}

locals {
  arn   = "arn:${data.aws_partition.this.partition}"
  place = "${data.aws_region.this.region}:${data.aws_caller_identity.this.account_id}"

  statements = concat(
    [
      {
        Sid      = "Archive"
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"]
        Resource = "${aws_s3_bucket.archive.arn}/${local.archive_prefix}/*"
      },
      {
        Sid      = "ArchiveList"
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = aws_s3_bucket.archive.arn
      },
      {
        Sid      = "Password"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = local.secret_arn
      },
      {
        Sid      = "Drain"
        Effect   = "Allow"
        Action   = ["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"]
        Resource = "${local.arn}:autoscaling:${local.place}:autoScalingGroup:*:autoScalingGroupName/${var.name}"
      },
    ],
    [for statement in [
      {
        Sid      = "Package"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${local.arn}:s3:::${trimprefix(var.package_url, "s3://")}"
      },
    ] : statement if startswith(var.package_url, "s3://")],
    [for statement in [
      {
        # Metrics travel in log lines, too (EMF).
        Sid      = "AgentLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", "logs:PutRetentionPolicy"]
        Resource = "${local.arn}:logs:${local.place}:log-group:/access-log-tracker/*"
      },
    ] : statement if var.cloudwatch_agent],
  )

  user_data = templatefile("${path.module}/../cloud-init.yaml", {
    Host             = var.host
    PackageUrl       = var.package_url
    PackageSha256    = var.package_sha256
    SecretArn        = local.secret_arn
    PostgresUrl      = local.database_url
    ArchiveUrl       = "s3://${aws_s3_bucket.archive.id}/${local.archive_prefix}"
    LocalLogDays     = var.local_log_days
    ProxyCidrs       = join(",", sort([for subnet in data.aws_subnet.public : subnet.cidr_block]))
    BehindCloudFront = local.behind_cloudfront ? "yes" : ""
    GroupName        = var.name
    CloudWatchAgent  = var.cloudwatch_agent ? "yes" : ""
    Region           = data.aws_region.this.region
  })
}

resource "aws_iam_role" "instance" {
  name_prefix = "${var.name}-instance-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "instance" {
  name   = "alt"
  role   = aws_iam_role.instance.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

resource "aws_iam_role_policy_attachment" "session_manager" {
  count      = var.session_manager ? 1 : 0
  role       = aws_iam_role.instance.name
  policy_arn = "${local.arn}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "instance" {
  name_prefix = "${var.name}-"
  role        = aws_iam_role.instance.name
}

resource "aws_launch_template" "this" {
  name_prefix            = "${var.name}-"
  image_id               = data.aws_ami.this.id
  instance_type          = var.instance_type
  vpc_security_group_ids = [aws_security_group.instance.id]
  user_data              = base64encode(local.user_data)
  update_default_version = true

  iam_instance_profile {
    arn = aws_iam_instance_profile.instance.arn
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = data.aws_ami.this.root_device_name

    ebs {
      volume_type           = "gp3"
      volume_size           = var.volume_gib
      encrypted             = true
      delete_on_termination = true
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_autoscaling_group" "this" {
  name                      = var.name
  min_size                  = var.min_size
  max_size                  = var.max_size
  vpc_zone_identifier       = var.private_subnet_ids
  target_group_arns         = [aws_lb_target_group.this.arn]
  health_check_type         = "ELB"
  health_check_grace_period = 600

  launch_template {
    id      = aws_launch_template.this.id
    version = aws_launch_template.this.latest_version
  }

  # An instance goes when it owes nothing, or after 48 hours (100 heartbeats at the most). Part of the group, so that
  # no instance comes before it.
  initial_lifecycle_hook {
    name                 = "drain"
    lifecycle_transition = "autoscaling:EC2_INSTANCE_TERMINATING"
    heartbeat_timeout    = 1800
    default_result       = "CONTINUE"
  }

  # A new launch template replaces all instances: first a new one, then an old one goes.
  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 200
    }
  }

  tag {
    key                 = "Name"
    value               = var.name
    propagate_at_launch = true
  }

  # The first instance sets up the database, and has to be allowed to.
  depends_on = [
    aws_rds_cluster_instance.this,
    aws_iam_role_policy.instance,
    aws_vpc_security_group_ingress_rule.from_instances,
    aws_vpc_security_group_egress_rule.to_database,
    aws_vpc_security_group_egress_rule.out,
  ]
}

resource "aws_autoscaling_policy" "cpu" {
  name                   = "cpu"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = 50

    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }
  }
}
