-- Event filters: kinds of events, statements and conditions on rows that are left out; the schema goes on with what is left out.
-- @covers sink-uri §3
-- @truth spec sink-uri §3
-- @profile current
-- @changefeed filter.event-filters=[{matcher=['*.orders'],ignore-event=["delete"],ignore-insert-value-expr="state = 'draft' and amount < 10",ignore-update-old-value-expr="state = 'closed'"},{matcher=['*.*'],ignore-sql=["^alter table .* add column hidden"]}]

create table orders (id int primary key, state varchar(9), amount decimal(9,2));
create table others (id int primary key, v int);

insert into orders values (1, 'draft', 9.99), (2, 'draft', 10.00), (3, 'open', 1);
insert into others values (1, 1);
update orders set amount = amount + 1 where id in (1, 2);
update orders set state = 'closed' where id = 3;
update orders set amount = 7 where id = 3;
delete from orders where id = 2;
delete from others where id = 1;
alter table orders add column hidden int default 5;
alter table orders add column seen int default 6;
insert into orders (id, state, amount) values (4, 'open', 4);
-- @messages
