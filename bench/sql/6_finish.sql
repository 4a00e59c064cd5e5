-- What ties the tables together; the pools are not part of the application.
DROP SCHEMA gen CASCADE;

ALTER TABLE tickets ADD FOREIGN KEY (customer_id) REFERENCES customers, ADD FOREIGN KEY (agent_id) REFERENCES agents;
ALTER TABLE messages ADD FOREIGN KEY (ticket_id) REFERENCES tickets, ADD FOREIGN KEY (agent_id) REFERENCES agents;
ALTER TABLE events ADD FOREIGN KEY (customer_id) REFERENCES customers;
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers;
ALTER TABLE order_lines ADD FOREIGN KEY (order_id) REFERENCES orders, ADD FOREIGN KEY (product_id) REFERENCES products;

CREATE VIEW turnover AS
SELECT date_trunc('month', o.placed_at) AS month, sum(l.quantity * l.unit_price) AS amount
FROM orders o JOIN order_lines l ON l.order_id = o.id
GROUP BY 1;
