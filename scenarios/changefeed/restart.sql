-- The pipeline is killed between writes, and while rows wait for it: it goes on from its checkpoint, and nothing is lost.
-- @covers state §3
-- @truth spec state §3

create table t (id int primary key, v int);
insert into t values (1, 1), (2, 2);
-- @messages

-- @kill pipeline
update t set v = 10 where id = 1;
-- @messages

-- @stop pipeline
delete from t where id = 2;
insert into t values (3, 3);
-- @start pipeline
-- @messages
-- @flink-table t
