-- Two sessions: the order in which they commit is the order of the messages of a key.
-- @covers state §3
-- @truth spec state §3

create table t (id int primary key, v int);
insert into t values (1, 0), (2, 0);
-- @session one
begin;
update t set v = 1 where id = 1;
-- @session two
update t set v = 2 where id = 2;
-- @session one
update t set v = 3 where id = 2;
commit;
-- @session two
update t set v = 4 where id = 1;
-- @messages
