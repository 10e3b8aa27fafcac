# Alarms on what AWS measures by itself. Those on alt's own numbers (lag, rejects) are in monitoring/cloudwatch.

locals {
  balancer_dimensions = { LoadBalancer = aws_lb.this.arn_suffix }
  database_dimensions = { for name, id in {
    DBClusterIdentifier  = one(aws_rds_cluster.this[*].id)
    DBInstanceIdentifier = one(aws_db_instance.this[*].identifier)
  } : name => id if(name == "DBClusterIdentifier") == local.aurora }

  alarms = {
    unhealthy = {
      text       = "nginx does not answer on an instance"
      namespace  = "AWS/ApplicationELB", metric = "UnHealthyHostCount", statistic = "Maximum"
      comparison = "GreaterThanThreshold", threshold = 0, periods = 5
      dimensions = merge(local.balancer_dimensions, { TargetGroup = aws_lb_target_group.this.arn_suffix })
    }
    refused = {
      text       = "Hits are lost: the load balancer finds no instance that answers"
      namespace  = "AWS/ApplicationELB", metric = "HTTPCode_ELB_5XX_Count", statistic = "Sum"
      comparison = "GreaterThanThreshold", threshold = 0, periods = 1
      dimensions = local.balancer_dimensions
    }
    cpu = {
      text       = "The database is busy; the logs may grow"
      namespace  = "AWS/RDS", metric = "CPUUtilization", statistic = "Average"
      comparison = "GreaterThanThreshold", threshold = 80, periods = 15
      dimensions = local.database_dimensions
    }
    storage = {
      text       = local.aurora ? "The database has less than 5 GiB of local storage left" : "The database has less than 5 GiB left"
      namespace  = "AWS/RDS", metric = local.aurora ? "FreeLocalStorage" : "FreeStorageSpace", statistic = "Minimum"
      comparison = "LessThanThreshold", threshold = 5 * 1024 * 1024 * 1024, periods = 5
      dimensions = local.database_dimensions
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = { for name, alarm in local.alarms : name => alarm if var.alarm_topic_arn != "" }
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.text
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}
