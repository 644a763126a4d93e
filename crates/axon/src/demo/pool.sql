-- What the demo's warehouse holds before Axon comes: a DBA's work, one statement a batch.
CREATE SCHEMA sales
GO
CREATE SCHEMA staging
GO
CREATE SCHEMA hr
GO
CREATE SCHEMA finance
GO
CREATE SCHEMA secure
GO
CREATE TABLE sales.orders (order_id int NOT NULL, region nvarchar(40), email nvarchar(200), amount decimal(12,2))
GO
CREATE TABLE sales.regions (region_id int NOT NULL, name nvarchar(40), target decimal(12,2))
GO
CREATE TABLE staging.loads (load_id int NOT NULL, file_name nvarchar(200), loaded_at datetime2(3))
GO
CREATE TABLE hr.people (person_id int NOT NULL, name nvarchar(200), department nvarchar(100), salary decimal(12,2))
GO
CREATE TABLE finance.ledger (entry_id int NOT NULL, account nvarchar(40), amount decimal(12,2))
GO
CREATE VIEW secure.orders AS SELECT order_id, region, amount FROM sales.orders
GO
CREATE ROLE legacy_etl
GO
GRANT SELECT ON SCHEMA::staging TO legacy_etl
GO
