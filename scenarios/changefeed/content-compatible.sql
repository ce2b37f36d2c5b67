-- `content-compatible`: types as Canal writes them, and of the old row only what changed.
-- @covers canal-json §3.3
-- @truth spec canal-json §3.3
-- @profile current
-- @changefeed content-compatible=true

create table t (id int primary key, v int unsigned, d decimal(10,2), s varchar(20));
insert into t values (1, 1, 1.5, 'a');
update t set v = 2;
update t set v = 2;
delete from t;
-- @messages
