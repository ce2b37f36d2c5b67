-- A change of a unique key goes out as a delete and an insert since v8.
-- @covers canal-json §9
-- @truth recorded dml

create table u (id int primary key, a int not null, b int, unique key (a), unique key ub (b));
insert into u values (1, 1, 1), (2, 2, 2), (3, 3, null);
update u set a = 10 where id = 1;
update u set b = 20 where id = 2;
update u set b = 30 where id = 3;
begin;
update u set a = 99 where id = 1;
update u set a = 10 where id = 2;
update u set a = 2 where id = 1;
commit;
replace into u values (9, 10, 30);
insert into u values (1, 3, 3) on duplicate key update a = a + 100;

-- @messages
