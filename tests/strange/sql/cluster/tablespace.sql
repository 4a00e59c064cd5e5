-- CREATE TABLESPACE cannot run inside a transaction; the caller runs this file only where it is missing.
CREATE TABLESPACE "strange Spaçe" OWNER strange_owner LOCATION '';
