-- What the suites' pool holds before Axon comes. The canaries must outlive every test.
CREATE SCHEMA sales
GO
CREATE TABLE sales.orders (order_id int NOT NULL, region nvarchar(40), amount decimal(12,2))
GO
INSERT INTO sales.orders VALUES (1, N'north', 10.50)
GO
CREATE TABLE sales.regions (region_id int NOT NULL, name nvarchar(40))
GO
CREATE ROLE canary
GO
CREATE USER canary_user WITHOUT LOGIN
GO
EXEC sp_addrolemember 'canary', 'canary_user'
GO
GRANT SELECT ON SCHEMA::sales TO canary
GO
