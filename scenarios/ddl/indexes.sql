-- Indexes: their statements go out, rows stay as they are.
-- @covers canal-json §10
-- @truth spec canal-json §10

create table t (id int primary key, a int, b varchar(20));
insert into t values (1, 1, 'one');
alter table t add index i_a (a);
create unique index u_ab on t (a, b);
insert into t values (2, 2, 'two');
alter table t rename index i_a to i_b;
drop index i_b on t;
update t set a = 3 where id = 2;
-- @messages
