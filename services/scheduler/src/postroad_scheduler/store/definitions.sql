-- name: read
-- The steps of activated versions, in order, and who sends them. $1 tenants, $2 sequences, $3 versions.
SELECT v.tenant_id, v.sequence_id, v.version, v.sender_id, s.number, s.step_key, s.delay_seconds, s.preferred_time,
       s.template_id, s.template_version, s.thread
FROM unnest($1::uuid[], $2::uuid[], $3::integer[]) AS given (tenant_id, sequence_id, version)
JOIN views.sequence_versions v USING (tenant_id, sequence_id, version)
JOIN views.steps s USING (tenant_id, sequence_id, version)
ORDER BY v.tenant_id, v.sequence_id, v.version, s.number;
