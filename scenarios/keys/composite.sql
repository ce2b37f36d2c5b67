-- A clustered primary key of several columns.
-- @covers canal-json §6, row-and-key-codecs
-- @truth recorded keys
-- @profile current

create table k_comp (a int, b varchar(20), c datetime(3), v int, primary key (a, b, c));
insert into k_comp values (1, 'x', '2024-01-01 00:00:00.5', 1), (1, 'X', '2024-01-01 00:00:00.5', 2), (-1, '', '2024-01-01', 3);
update k_comp set v = v + 1 where a = 1;
update k_comp set b = 'zz' where b = '';
delete from k_comp where b = 'X';

-- @messages
-- @flink-table k_comp
