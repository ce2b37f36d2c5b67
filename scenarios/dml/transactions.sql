-- A transaction over two tables, what is left of a row that it changes more than once, savepoints, and a rollback, which
-- sends nothing.
-- @covers state §3
-- @truth recorded dml
-- @profile current

create table p (id int primary key, v int, w varchar(10));
create table q (id int primary key, v int);
insert into p values (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c');
begin;
insert into p values (50, 1, 'x');
update p set v = 2 where id = 50;
update p set v = 3, w = 'y' where id = 50;
commit;
begin;
insert into p values (51, 1, 'x');
delete from p where id = 51;
commit;
begin;
delete from p where id = 50;
insert into p values (50, 9, 'new');
commit;
begin;
insert into p values (60, 6, 'p');
insert into q values (60, 6);
update q set v = 7;
commit;
begin;
insert into p values (70, 7, 'r');
rollback;
begin;
insert into p values (80, 8, 's');
savepoint s1;
insert into p values (81, 8, 's');
rollback to s1;
insert into p values (82, 8, 's');
commit;
begin;
insert into p values (90, 9, 't');
-- @error 1062
insert into p values (60, 9, 'dup');
commit;

-- @messages
-- @flink-table p
-- @flink-table q
