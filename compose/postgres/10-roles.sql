-- Run by the PostgreSQL image once, on an empty data folder, as the superuser over the local socket.
-- Services log in as `errata`, which owns its database and nothing else. The superuser loses its password: it can be
-- reached from inside the container only.
\getenv password POSTGRES_PASSWORD
CREATE ROLE errata LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE errata OWNER errata TEMPLATE template0 ENCODING 'UTF8';
ALTER ROLE postgres PASSWORD NULL;
\connect errata
REVOKE ALL ON DATABASE errata FROM PUBLIC;
