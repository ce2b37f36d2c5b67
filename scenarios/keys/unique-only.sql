-- Tables without a primary key: one with a NOT NULL unique key is replicated, others are not.
-- @covers canal-json §6, §13
-- @truth recorded keys

create table k_uk (a int not null, b int not null, v int, unique key ab (a, b));
insert into k_uk values (1, 1, 1), (1, 2, 2);
update k_uk set v = 3 where b = 1;
update k_uk set b = 5 where b = 2;
delete from k_uk where b = 1;
create table k_uk_null (a int, v int, unique key (a));
insert into k_uk_null values (1, 1), (null, 2), (null, 3);
update k_uk_null set v = 4 where a is null;
create table k_none (a int, b varchar(10));
insert into k_none values (1, 'x'), (1, 'x'), (null, null);
update k_none set b = 'y' where a = 1;
delete from k_none where a is null;

-- @messages
