FROM access_logs l
LEFT JOIN user_agents u ON u.id = l.user_agent_id
LEFT JOIN environments e ON e.id = l.environment_id
