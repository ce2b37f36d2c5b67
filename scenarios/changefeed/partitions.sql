-- Three partitions by the values of the key: one key, one partition.
-- @covers canal-json §15
-- @truth spec canal-json §15
-- @profile current
-- @changefeed partition-num=3 sink.dispatchers=[{matcher=['*.*'],partition="index-value"}]

create table t (id int primary key, v int);
insert into t values (1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1);
update t set v = 2;
delete from t where id > 3;
-- @messages
