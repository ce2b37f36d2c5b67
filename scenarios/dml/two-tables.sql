-- A transaction over two tables goes out with one commit-ts; a row that it changes more than once goes out once; a rollback
-- and a statement that failed send nothing.
-- @covers state §3
-- @truth spec state §3

create table p (id int primary key, v int, w varchar(10));
create table q (id int primary key, v int);
begin;
insert into p values (60, 6, 'p'), (61, 6, 'p');
insert into q values (60, 6);
update q set v = 7;
update p set v = 7 where id = 61;
commit;
begin;
insert into p values (70, 7, 'r');
delete from q;
rollback;
begin;
delete from p where id = 60;
insert into p values (60, 9, 'new');
insert into q values (61, 8);
commit;
begin;
insert into p values (90, 9, 't');
-- @error 1062
insert into p values (60, 9, 'dup');
commit;

-- @query
select * from p order by id;
-- @query
select * from q order by id;
-- @messages
-- @flink-table p
-- @flink-table q
