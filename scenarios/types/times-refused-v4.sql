-- Dates and times that there are not, or that their type does not hold: refused by 4.0 with a number of its own.
-- @covers canal-json §3
-- @truth spec canal-json §3
-- @profile seed

create table t (id int primary key, d date, ts timestamp null, ti time);
-- @error 1366
insert into t (id, d) values (9, '2023-02-29');
-- @error 1366
insert into t (id, ts) values (9, '1969-12-31 23:59:59');
-- @error 1366
insert into t (id, ts) values (9, '2038-01-19 03:14:08');
-- @error 1366
insert into t (id, ti) values (9, '839:00:00');

-- @messages
