-- Clustered keys of strings, whole and with a collation of their own.
-- @covers row-and-key-codecs
-- @truth recorded keys
-- @profile current

create table k_str (s varchar(40) primary key, v int);
insert into k_str values ('', 0), ('abc', 1), ('abcdefgh', 2), ('abcdefghi', 3), ('trailing ', 4), ('ünï', 5);
update k_str set v = 10 where s = 'abcdefgh';
create table k_ci (s varchar(40) collate utf8mb4_general_ci primary key, t varchar(10) collate utf8mb4_unicode_ci, v int, unique key (t));
insert into k_ci values ('AbC', 'Straße', 1), ('trail  ', 'É', 2);
-- @error 1062
insert into k_ci values ('aBc', 'other', 1);
update k_ci set s = 'ABC' where v = 1;
update k_ci set v = 7 where s = 'abc';
delete from k_ci where s = 'TRAIL';

-- @messages
