# Alarms.

# On what AWS measures by itself.
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

# On what alt says of itself, over all instances that there are (monitoring/cloudwatch has more, for one machine each).
resource "aws_cloudwatch_metric_alarm" "late" {
  count               = var.cloudwatch_agent && var.alarm_topic_arn != "" ? 1 : 0
  alarm_name          = "${var.name}-late"
  alarm_description   = "Rows come more than two minutes late on some instance, or no instance says how late they are"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 120
  evaluation_periods  = 10
  treat_missing_data  = "breaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]

  metric_query {
    id          = "late"
    expression  = "SELECT MAX(alt_lag_seconds) FROM SCHEMA(\"AccessLogTracker\", host)"
    period      = 60
    return_data = true
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
