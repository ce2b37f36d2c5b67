-- Decimals and floating-point numbers at their limits and NULL.
-- @covers canal-json §3
-- @truth recorded types-decimal-float

create table d (id int primary key, d0 decimal, d1 decimal(10,2), d2 decimal(65,30), d3 decimal(65,0), d4 decimal(1,1), d5 decimal(20,10) unsigned, f float, fu float unsigned, fd float(7,3), db double, dbu double unsigned, dbd double(15,4), num numeric(5,5));
insert into d values (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
insert into d values (2, 9999999999, 99999999.99, 99999999999999999999999999999999999.999999999999999999999999999999, 99999999999999999999999999999999999999999999999999999999999999999, 0.9, 9999999999.9999999999, 3.4028234e38, 1.17549435e-38, 1234.567, 1.7976931348623157e308, 2.2250738585072014e-308, 12345678901.2345, 0.99999);
insert into d values (3, -9999999999, -99999999.99, -1e-30, -1, -0.9, 0.0000000001, -3.4028234e38, 1e-10, -1234.567, -1.7976931348623157e308, 1e22, -12345678901.2345, -0.00001);
insert into d (id) values (4);
insert into d (id, f, db) values (5, 0.1, 0.1), (6, 1e15, 1e15), (7, 1e16, 1e16), (8, 123456789, 123456789), (9, 1e20, 1e20), (10, 1e21, 1e21), (11, 1e-5, 1e-5), (12, 1e-7, 1e-7), (13, 3.14159265358979, 3.14159265358979), (14, 16777216, 9007199254740993), (15, -0.0, -0.0), (16, 1.0, 1.0), (17, 100, 100), (18, 1.5e300 * 0, 1.5e300), (19, 5e-324, 5e-324);
insert into d (id, d1) values (20, 1.005), (21, 1.015), (22, -1.005), (23, 1e3), (24, 12.3), (25, .5);
-- @error 1264
insert into d (id, d1) values (30, 100000000);
-- @error 1264
insert into d (id, d5) values (30, -1);
-- @error 1264
insert into d (id, d4) values (30, 1);

-- @messages
