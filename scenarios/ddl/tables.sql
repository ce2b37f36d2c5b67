-- Tables are made, emptied, renamed, dropped and made again under the same name: each statement goes out before the rows
-- behind it and after those before it.
-- @covers canal-json §10
-- @truth spec canal-json §10

create table t (id int primary key, v int);
insert into t values (1, 1);
truncate table t;
insert into t values (2, 2);
rename table t to u;
insert into u values (3, 3);
drop table u;
create table u (id int primary key, w varchar(5));
insert into u values (4, 'four');
create table if not exists u (id int);
drop table if exists nothing;

-- @messages
