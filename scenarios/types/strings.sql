-- Texts: of every length, with what JSON escapes, with what takes several bytes, and NULL.
-- @covers canal-json §1, §3
-- @truth spec canal-json §1, §3

create table s (id int primary key, c char(10), vc varchar(100), t text, tt tinytext, mt mediumtext, lt longtext);
insert into s values (1, '', '', '', '', '', '');
insert into s values (2, 'abc', 'héllo', '你好', '🐸', 'a\nb', 'tab\there');
insert into s (id) values (3);
insert into s (id, vc) values (4, 'quote " backslash \\ slash / single '' null \0 bell \b'), (5, '<html>&amp;</html>');
update s set c = 'abc   ', vc = 'HÉLLO' where id = 2;
-- @error 1406
insert into s (id, c) values (9, '12345678901');
delete from s where id = 2;
-- @messages
-- @flink-table s
