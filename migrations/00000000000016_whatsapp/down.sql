ALTER TABLE messages DROP COLUMN contact_id;
ALTER TABLE conversations DROP COLUMN whatsapp_contact_id;
DROP TABLE whatsapp_receipts, whatsapp_deliveries, whatsapp_contacts, whatsapp_integration_members, whatsapp_integrations;
