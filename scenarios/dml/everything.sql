-- Every way to write rows: one statement or many, over one table or two, replaced, ignored, joined.
-- @covers canal-json §1, §4, §5, §9
-- @truth recorded dml
-- @profile current

create table p (id int primary key, v int, w varchar(10));
create table q (id int primary key, v int);
insert into p values (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c');
update p set v = v where id = 1;
update p set v = 1 where id = 1;
update p set v = 10, w = 'a' where id = 1;
update p set id = 11 where id = 1;
update p set id = id + 100 order by id desc;
begin;
update p set id = 1 where id = 102;
update p set id = 102 where id = 103;
commit;
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
replace into p values (60, 66, 'rep');
replace into p values (61, 61, 'new');
insert into p values (60, 0, 'odku') on duplicate key update v = v + 1, w = values(w);
-- @error 1064
insert into p values (60, 0, 'odku2') as n on duplicate key update w = n.w;
insert ignore into p values (60, 1, 'ign'), (62, 1, 'ign');
insert into q select id + 1000, v from p where id < 62;
update p join q on p.id = q.id set p.v = 500, q.v = 501;
delete p, q from p join q on p.id = q.id;
delete from q order by id limit 1;
update p set v = v + 1 where v > 5 limit 2;
insert into p (id) values (200), (201), (202);
update p set v = null, w = '' where id = 200;
delete from p where id in (200, 201, 202);

-- @messages
-- @flink-table p
-- @flink-table q
