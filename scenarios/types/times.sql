-- Dates, times and years at their limits and NULL.
-- @covers canal-json §3
-- @truth recorded types-time

create table t (id int primary key, d date, dt datetime, dt3 datetime(3), dt6 datetime(6), ts timestamp null, ts3 timestamp(3) null, ts6 timestamp(6) null, ti time, ti3 time(3), ti6 time(6), y year);
insert into t values (1, '1000-01-01', '1000-01-01 00:00:00', '1000-01-01 00:00:00.000', '1000-01-01 00:00:00.000000', '1970-01-01 00:00:01', '1970-01-01 00:00:01.000', '1970-01-01 00:00:01.000000', '-838:59:59', '-838:59:59.000', '-838:59:59.000000', 1901);
insert into t values (2, '9999-12-31', '9999-12-31 23:59:59', '9999-12-31 23:59:59.999', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', '2038-01-19 03:14:07.999', '2038-01-19 03:14:07.999999', '838:59:59', '838:59:59.000', '838:59:58.999999', 2155);
insert into t (id) values (3);
insert into t values (4, '2024-02-29', '2024-02-29 12:34:56', '2024-02-29 12:34:56.7', '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56', '2024-02-29 12:34:56.1', '2024-02-29 12:34:56.000001', '00:00:00', '-00:00:00.5', '00:00:00.000001', 0);
-- @error 1264
insert into t (id, y) values (9, 1900);
update t set dt = '2025-01-01 00:00:00', ts3 = '2025-01-01 00:00:00.123', ti = '-01:02:03' where id = 4;
delete from t where id in (2, 4);

-- @messages
