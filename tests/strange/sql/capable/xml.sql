-- XML: documents, fragments, and text that is neither.
CREATE TABLE strange.xmls (id int PRIMARY KEY, x xml, xs xml[]);
INSERT INTO strange.xmls VALUES
    (1, XMLPARSE(DOCUMENT '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><!-- c --><a b=''1''>ü&amp;<![CDATA[<raw>]]></a>'), '{}'), (2, '', NULL),
    (3, 'text only', ARRAY['<a/>'::xml, NULL, 'x, "y"'::xml]), (4, '<a/><b/>', NULL), (5, NULL, NULL), (6, XMLELEMENT(NAME "odd name", XMLATTRIBUTES('"' AS "é")), NULL);
CREATE VIEW strange.xml_view AS SELECT t.* FROM strange.xmls, XMLTABLE('/a' PASSING x COLUMNS b text PATH '@b' DEFAULT 'none', n FOR ORDINALITY) AS t WHERE id = 1;
CREATE FUNCTION strange.to_xml() RETURNS xml LANGUAGE sql AS $$SELECT xmlforest('x' AS y, strange.pair_neg(NULL) AS z)$$;
