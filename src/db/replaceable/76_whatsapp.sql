-- WhatsApp: whoever takes part in a conversation with somebody outside sees who that is; the server takes what comes in.

-- Seen where a conversation with them is; only the server makes one.
DROP POLICY IF EXISTS takes_part ON whatsapp_contacts;
CREATE POLICY takes_part ON whatsapp_contacts AS RESTRICTIVE USING (
    (SELECT app_scope()) = 'system' OR EXISTS (SELECT FROM conversations c
        WHERE c.facility_id = whatsapp_contacts.facility_id AND c.whatsapp_contact_id = whatsapp_contacts.id));
DROP POLICY IF EXISTS server_insert ON whatsapp_contacts;
CREATE POLICY server_insert ON whatsapp_contacts AS RESTRICTIVE FOR INSERT WITH CHECK ((SELECT app_scope()) = 'system');
DROP POLICY IF EXISTS server_delete ON whatsapp_contacts;
CREATE POLICY server_delete ON whatsapp_contacts AS RESTRICTIVE FOR DELETE USING ((SELECT app_scope()) = 'system');

-- A delivery follows its message; what is queued is queued by whoever may speak, and sent by the server alone.
DROP POLICY IF EXISTS takes_part ON whatsapp_deliveries;
CREATE POLICY takes_part ON whatsapp_deliveries AS RESTRICTIVE USING (
    (SELECT app_scope()) = 'system' OR EXISTS (SELECT FROM messages m
        WHERE m.facility_id = whatsapp_deliveries.facility_id AND m.id = whatsapp_deliveries.message_id));
DROP POLICY IF EXISTS queued_insert ON whatsapp_deliveries;
CREATE POLICY queued_insert ON whatsapp_deliveries AS RESTRICTIVE FOR INSERT WITH CHECK (
    (SELECT app_scope()) = 'system' OR (status = 'queued' AND automatic IS NULL));
DROP POLICY IF EXISTS queued_update ON whatsapp_deliveries;
CREATE POLICY queued_update ON whatsapp_deliveries AS RESTRICTIVE FOR UPDATE
    USING ((SELECT app_scope()) = 'system' OR status = 'failed')
    WITH CHECK ((SELECT app_scope()) = 'system' OR status = 'queued');
DROP POLICY IF EXISTS server_delete ON whatsapp_deliveries;
CREATE POLICY server_delete ON whatsapp_deliveries AS RESTRICTIVE FOR DELETE USING ((SELECT app_scope()) = 'system');

-- What has come is the server's own business.
DROP POLICY IF EXISTS server ON whatsapp_receipts;
CREATE POLICY server ON whatsapp_receipts AS RESTRICTIVE USING ((SELECT app_scope()) = 'system');

-- Nobody speaks for somebody outside, and nobody begins a conversation with them but they.
DROP POLICY IF EXISTS server_speaks_for_contact ON messages;
CREATE POLICY server_speaks_for_contact ON messages AS RESTRICTIVE FOR INSERT WITH CHECK (
    (SELECT app_scope()) = 'system' OR contact_id IS NULL);
DROP POLICY IF EXISTS server_begins_with_contact ON conversations;
CREATE POLICY server_begins_with_contact ON conversations AS RESTRICTIVE FOR INSERT WITH CHECK (
    (SELECT app_scope()) = 'system' OR whatsapp_contact_id IS NULL);
