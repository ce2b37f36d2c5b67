-- Dates and times that there are not, or that their type does not hold, are refused and leave no message. The codes are those
-- of recording `types-time`.
-- @covers canal-json §3
-- @truth spec canal-json §3
-- @profile current

create table t (id int primary key, d date, ts timestamp null, ti time);
-- @error 1292
insert into t (id, d) values (9, '2023-02-29');
-- @error 1292
insert into t (id, ts) values (9, '1969-12-31 23:59:59');
-- @error 1292
insert into t (id, ts) values (9, '2038-01-19 03:14:08');
-- @error 1292
insert into t (id, ti) values (9, '839:00:00');

-- @messages
