-- Triggers in every state, event triggers, row security.

CREATE FUNCTION strange.trigger_function() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN coalesce(new, old); END$$;
CREATE FUNCTION strange.statement_function() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE TABLE strange.triggered (id int PRIMARY KEY, a text, "b ""c""" int);
INSERT INTO strange.triggered SELECT i, 'a', i FROM generate_series(1, 10) i;
CREATE TRIGGER "odd ""trigger""; --" BEFORE INSERT OR UPDATE OF a, "b ""c""" ON strange.triggered FOR EACH ROW
    WHEN (new.a IS DISTINCT FROM 'it''s') EXECUTE FUNCTION strange.trigger_function('arg', 'it''s', '\ back', '', '象');
CREATE TRIGGER disabled AFTER DELETE ON strange.triggered FOR EACH ROW EXECUTE FUNCTION strange.statement_function();
CREATE TRIGGER always BEFORE TRUNCATE ON strange.triggered FOR EACH STATEMENT EXECUTE FUNCTION strange.statement_function();
CREATE TRIGGER replica AFTER UPDATE ON strange.triggered REFERENCING OLD TABLE AS before NEW TABLE AS "after all" FOR EACH STATEMENT EXECUTE FUNCTION strange.statement_function();
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON strange.triggered FROM strange.with_key DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION strange.statement_function();
ALTER TABLE strange.triggered DISABLE TRIGGER disabled, ENABLE ALWAYS TRIGGER always, ENABLE REPLICA TRIGGER replica;
CREATE TRIGGER instead INSTEAD OF INSERT ON strange.on_grouped FOR EACH ROW EXECUTE FUNCTION strange.trigger_function();
COMMENT ON TRIGGER disabled ON strange.triggered IS 'asleep';
CREATE TRIGGER on_partitions AFTER INSERT ON strange.events FOR EACH ROW EXECUTE FUNCTION strange.trigger_function('x');
ALTER TABLE strange.events_attached DISABLE TRIGGER on_partitions;
ALTER TABLE strange.events_default ENABLE ALWAYS TRIGGER on_partitions;
CREATE TRIGGER only_here BEFORE INSERT ON strange.events_attached FOR EACH ROW EXECUTE FUNCTION strange.trigger_function();
ALTER TABLE strange.hens DISABLE TRIGGER USER;

CREATE FUNCTION strange.on_event() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN PERFORM 1; END$$;
CREATE EVENT TRIGGER "strange ""event""" ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP FUNCTION') EXECUTE FUNCTION strange.on_event();
CREATE EVENT TRIGGER strange_drop ON sql_drop EXECUTE FUNCTION strange.on_event();
CREATE EVENT TRIGGER strange_rewrite ON table_rewrite EXECUTE FUNCTION strange.on_event();
CREATE EVENT TRIGGER strange_start ON ddl_command_start EXECUTE FUNCTION strange.on_event();
ALTER EVENT TRIGGER strange_drop DISABLE;
ALTER EVENT TRIGGER strange_rewrite ENABLE REPLICA;
ALTER EVENT TRIGGER strange_start ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER strange_drop IS 'something was dropped';

CREATE TABLE strange.policed (id int, owner name, note text);
INSERT INTO strange.policed VALUES (1, 'strange_reader', 'visible'), (2, 'nobody', 'hidden');
ALTER TABLE strange.policed ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY "odd ""policy""" ON strange.policed AS PERMISSIVE FOR SELECT TO strange_reader, "Strange ""quoted"" röle; --" USING (owner = current_user);
CREATE POLICY restrictive ON strange.policed AS RESTRICTIVE FOR ALL TO PUBLIC USING (id > 0) WITH CHECK (id < 100 AND note <> 'it''s');
CREATE POLICY adding ON strange.policed FOR INSERT WITH CHECK (EXISTS (SELECT FROM strange.texts x WHERE x.id = policed.id));
CREATE POLICY changing ON strange.policed FOR UPDATE TO strange_owner USING (true) WITH CHECK (note IS NOT NULL);
CREATE POLICY removing ON strange.policed FOR DELETE USING (false);
COMMENT ON POLICY removing ON strange.policed IS 'never';
CREATE TABLE strange.policed_without_policies (id int);
ALTER TABLE strange.policed_without_policies ENABLE ROW LEVEL SECURITY;
INSERT INTO strange.policed_without_policies VALUES (1);
ALTER TABLE strange.secrets OWNER TO strange_owner;
ALTER TABLE strange.secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE strange.secrets FORCE ROW LEVEL SECURITY;
