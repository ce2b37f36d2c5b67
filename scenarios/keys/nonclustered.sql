-- A primary key beside the row key.
-- @covers canal-json §6
-- @truth recorded keys
-- @profile current

create table k_nonclustered (id int primary key nonclustered, v int);
insert into k_nonclustered values (1, 10), (2, 20);
update k_nonclustered set v = 11 where id = 1;
update k_nonclustered set id = 3 where id = 2;
delete from k_nonclustered where id = 1;

-- @messages
