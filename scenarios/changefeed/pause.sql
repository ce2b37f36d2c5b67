-- A paused changefeed sends nothing and loses nothing.
-- @covers cli-and-api §2
-- @truth spec state §3

create table t (id int primary key, v int);
insert into t values (1, 1);
-- @barrier
-- @pause
insert into t values (2, 2);
update t set v = 3 where id = 1;
create table late (id int primary key);
insert into late values (1);
-- @resume
-- @messages
