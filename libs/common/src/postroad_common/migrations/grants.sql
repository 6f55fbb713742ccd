-- The whole truth of who may read and write what. Run after every migration, safe to repeat.
-- Everything is taken away first: a privilege that is not written here does not exist.
REVOKE ALL ON SCHEMA public, postroad, sequence, schedule, delivery, tracking
    FROM PUBLIC, postroad_sequence_api, postroad_scheduler, postroad_sender, postroad_tracker, postroad_views, postroad_definer;
REVOKE ALL ON SCHEMA views FROM PUBLIC, postroad_sequence_api, postroad_scheduler, postroad_sender, postroad_tracker;
REVOKE ALL ON ALL TABLES IN SCHEMA public, sequence, schedule, delivery, tracking, views
    FROM PUBLIC, postroad_sequence_api, postroad_scheduler, postroad_sender, postroad_tracker, postroad_views, postroad_definer;
REVOKE ALL ON ALL ROUTINES IN SCHEMA postroad, sequence, schedule, delivery, tracking
    FROM PUBLIC, postroad_sequence_api, postroad_scheduler, postroad_sender, postroad_tracker, postroad_views;

GRANT USAGE ON SCHEMA public, postroad, views TO postroad_sequence_api, postroad_scheduler, postroad_sender, postroad_tracker;
GRANT SELECT ON public.schema_migrations TO postroad_sequence_api, postroad_scheduler, postroad_sender, postroad_tracker;
GRANT EXECUTE ON FUNCTION postroad.now(), postroad.tenants(), postroad.timeline()
    TO postroad_sequence_api, postroad_scheduler, postroad_sender, postroad_tracker, postroad_views, postroad_definer;

-- Behind the views, and behind the functions that return tenant ids.
GRANT USAGE ON SCHEMA sequence, schedule, delivery, tracking TO postroad_views, postroad_definer;
GRANT USAGE ON SCHEMA postroad TO postroad_views, postroad_definer;
GRANT SELECT ON sequence.tenants, sequence.contacts, sequence.accounts, sequence.sequences, sequence.sequence_versions, sequence.steps,
    sequence.template_versions, sequence.senders, sequence.enrollments, sequence.intents, sequence.webhook_sources,
    sequence.suppressions, schedule.progress, schedule.decisions, delivery.messages, delivery.attempts,
    delivery.sender_state, delivery.bounced_addresses, delivery.incarnations, tracking.events, tracking.matches,
    tracking.stops, tracking.event_keys, tracking.feeds, tracking.contact_engagement, sequence.outbox, schedule.outbox, tracking.outbox,
    sequence.installation, delivery.setbacks, delivery.erasures, tracking.erasures, tracking.message_counts,
    tracking.count_marks, delivery.message_sources TO postroad_views;
GRANT SELECT ON sequence.outbox, sequence.idempotency_keys, sequence.attributes, sequence.enrollments, sequence.jobs,
    sequence.webhook_subscriptions, sequence.webhook_deliveries TO postroad_definer;
GRANT SELECT ON schedule.progress, schedule.outbox TO postroad_definer;
GRANT SELECT ON delivery.messages, delivery.attempts, delivery.incarnations, delivery.message_sources TO postroad_definer;
GRANT SELECT ON tracking.outbox, tracking.events, tracking.matches, tracking.stops, tracking.feeds, tracking.count_marks
    TO postroad_definer;
GRANT UPDATE (detail, url) ON tracking.events TO postroad_definer;
-- What analytics and their counts in advance share.
GRANT EXECUTE ON FUNCTION postroad.event_bit(text, boolean),
    postroad.counts_of(text, text, timestamptz, integer, integer),
    postroad.count_changes(uuid, bigint, bigint, bigint, bigint) TO postroad_sequence_api, postroad_tracker;

-- sequence-api writes schema sequence.
GRANT USAGE ON SCHEMA sequence TO postroad_sequence_api;
GRANT SELECT, INSERT ON sequence.tenants, sequence.template_versions, sequence.enrollments, sequence.intents,
    sequence.outbox, sequence.active_slots, sequence.erasures TO postroad_sequence_api;
GRANT SELECT, INSERT, UPDATE ON sequence.api_keys, sequence.installation TO postroad_sequence_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON sequence.contacts, sequence.accounts, sequence.attributes,
    sequence.contact_values, sequence.templates, sequence.senders, sequence.sequences,
    sequence.sequence_versions, sequence.steps, sequence.suppressions, sequence.webhook_sources TO postroad_sequence_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON sequence.jobs, sequence.job_contacts TO postroad_sequence_api;
GRANT SELECT, INSERT, DELETE ON sequence.job_input, sequence.job_reports TO postroad_sequence_api;
GRANT UPDATE (name, timezone, postal_address) ON sequence.tenants TO postroad_sequence_api;
GRANT UPDATE (intent, intent_at) ON sequence.enrollments TO postroad_sequence_api;
GRANT UPDATE (acknowledged_at, on_the_wire, email) ON sequence.intents TO postroad_sequence_api;
GRANT UPDATE (rows) ON sequence.job_reports TO postroad_sequence_api;
GRANT UPDATE, DELETE ON sequence.outbox TO postroad_sequence_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON sequence.idempotency_keys, sequence.webhook_subscriptions,
    sequence.webhook_deliveries TO postroad_sequence_api;
GRANT SELECT, INSERT ON sequence.webhook_attempts TO postroad_sequence_api;
GRANT EXECUTE ON FUNCTION sequence.tenants_with_outbox(integer),
    sequence.tenants_with_idempotency_keys(interval, integer), sequence.tenants_with_jobs(uuid, integer),
    sequence.tenants_with_job_remains(interval, integer), sequence.tenants_with_webhooks_due(uuid, integer),
    sequence.tenants_with_old_webhooks(interval, integer), sequence.tenants_with_indexes_to_fill(integer),
    postroad.folded(text), sequence.text_value(jsonb), sequence.number_value(jsonb), sequence.flag_value(jsonb),
    sequence.moment_value(jsonb), sequence.indexed_text(text, jsonb), sequence.indexed_number(text, jsonb)
    TO postroad_sequence_api;
GRANT USAGE ON SCHEMA schedule TO postroad_sequence_api;
GRANT EXECUTE ON FUNCTION schedule.tenants_enrolled(uuid, integer) TO postroad_sequence_api;
GRANT SELECT ON ALL TABLES IN SCHEMA views TO postroad_sequence_api;

-- scheduler writes schema schedule, and frees the slot of an enrollment that it ends.
GRANT USAGE ON SCHEMA schedule, sequence TO postroad_scheduler;
GRANT SELECT, INSERT, UPDATE ON schedule.progress TO postroad_scheduler;
GRANT SELECT, INSERT ON schedule.decisions TO postroad_scheduler;
GRANT SELECT, INSERT, UPDATE, DELETE ON schedule.outbox TO postroad_scheduler;
GRANT SELECT, DELETE ON sequence.active_slots TO postroad_scheduler;
GRANT SELECT ON views.contacts, views.tenants, views.sequences, views.sequence_versions, views.steps, views.enrollments,
    views.senders, views.sender_state, views.stops, views.suppressed_addresses, views.hold TO postroad_scheduler;
GRANT EXECUTE ON FUNCTION schedule.tenants_to_wake(uuid, integer), schedule.tenants_enrolled(uuid, integer),
    schedule.tenants_with_outbox(integer) TO postroad_scheduler;

-- sender writes schema delivery.
GRANT USAGE ON SCHEMA delivery TO postroad_sender;
GRANT SELECT, INSERT, UPDATE ON delivery.messages, delivery.incarnations TO postroad_sender;
GRANT SELECT, INSERT, DELETE ON delivery.message_sources TO postroad_sender;
GRANT SELECT, INSERT ON delivery.attempts, delivery.bounced_addresses, delivery.setbacks, delivery.erasures TO postroad_sender;
GRANT UPDATE (xid, erased_at) ON delivery.erasures TO postroad_sender;
GRANT UPDATE (message_id) ON delivery.bounced_addresses TO postroad_sender;
GRANT SELECT, INSERT, UPDATE, DELETE ON delivery.sender_state TO postroad_sender;
GRANT SELECT ON views.contacts, views.tenants, views.sequences, views.steps, views.template_versions, views.senders,
    views.enrollments, views.progress, views.sender_state, views.stops, views.suppressed_addresses, views.hold
    TO postroad_sender;
GRANT EXECUTE ON FUNCTION delivery.tenants_with_orphans(integer),
    delivery.tenants_with_old_sources(interval, integer) TO postroad_sender;

-- tracker writes schema tracking. Events and keys: insert only.
GRANT USAGE ON SCHEMA tracking TO postroad_tracker;
GRANT SELECT, INSERT ON tracking.event_keys, tracking.events, tracking.matches, tracking.erasures TO postroad_tracker;
GRANT UPDATE (xid, erased_at) ON tracking.erasures TO postroad_tracker;
GRANT SELECT, INSERT, UPDATE ON tracking.feeds TO postroad_tracker;
GRANT SELECT, INSERT, DELETE ON tracking.event_personal_data, tracking.raw_requests TO postroad_tracker;
GRANT SELECT, INSERT ON tracking.stops TO postroad_tracker;
GRANT UPDATE (acknowledged_at, on_the_wire, enrollment_id, contact_id, event_id) ON tracking.stops TO postroad_tracker;
GRANT SELECT, INSERT, UPDATE, DELETE ON tracking.contact_engagement TO postroad_tracker;
GRANT SELECT, INSERT, UPDATE, DELETE ON tracking.outbox TO postroad_tracker;
GRANT SELECT, INSERT, UPDATE ON tracking.message_counts, tracking.count_marks TO postroad_tracker;
GRANT SELECT ON views.messages, views.attempts, views.message_event_bits, views.contacts, views.tenants,
    views.webhook_sources, views.hold TO postroad_tracker;
GRANT EXECUTE ON FUNCTION tracking.tenants_with_outbox(integer), tracking.make_event_partitions(integer),
    tracking.blank_events(uuid, uuid[], uuid[]),
    tracking.tenants_with_unmatched(uuid, interval, integer), tracking.tenants_with_open_stops(interval, integer),
    tracking.tenants_to_count(uuid, integer)
    TO postroad_tracker;

-- A monitoring program asks for ids, counts and times across tenants, and sees no table.
REVOKE ALL ON SCHEMA monitor FROM PUBLIC, postroad_sequence_api, postroad_scheduler, postroad_sender, postroad_tracker,
    postroad_views, postroad_definer;
REVOKE ALL ON ALL ROUTINES IN SCHEMA monitor FROM PUBLIC, postroad_sequence_api, postroad_scheduler, postroad_sender,
    postroad_tracker, postroad_views;
REVOKE ALL ON SCHEMA public, postroad, sequence, schedule, delivery, tracking, views, monitor FROM postroad_monitor;
REVOKE ALL ON ALL TABLES IN SCHEMA public, sequence, schedule, delivery, tracking, views FROM postroad_monitor;
REVOKE ALL ON ALL ROUTINES IN SCHEMA postroad, sequence, schedule, delivery, tracking, monitor FROM postroad_monitor;
GRANT USAGE ON SCHEMA public, postroad, monitor TO postroad_monitor;
GRANT SELECT ON public.schema_migrations TO postroad_monitor;
GRANT EXECUTE ON FUNCTION postroad.now(), monitor.steps(), monitor.messages(), monitor.outboxes(), monitor.incarnations(),
    monitor.resting_senders(), monitor.open_stops() TO postroad_monitor;
GRANT SELECT ON delivery.sender_state TO postroad_definer;
