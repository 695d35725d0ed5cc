-- A pair has key steps by each tie rule that a run asks for, no longer only by that of the first run.
ALTER TABLE key_steps ADD COLUMN tie_rule text;
UPDATE key_steps SET tie_rule = body->>'tieRule';
ALTER TABLE key_steps ALTER COLUMN tie_rule SET NOT NULL;
ALTER TABLE key_steps DROP CONSTRAINT key_steps_trace_id_tokenizer_key;
ALTER TABLE key_steps ADD UNIQUE (trace_id, tokenizer, tie_rule);
-- The id of key steps by the rule `edit` has no rule in it; what took such an id for another rule gives it back.
UPDATE key_steps SET id = id || ':' || tie_rule WHERE tie_rule <> 'edit';
