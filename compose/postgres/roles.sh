#!/bin/bash
# Makes the database `errata`, its owner of the same name and a role for each service, with the passwords of the secrets,
# on the server behind the socket that this container shares. It may run any number of times. What each role may do,
# grants.sql says, once the migrations have made the tables.
set -euo pipefail

secrets=${SECRETS:-/run/secrets}
services=(teacher-ingestion key-step-locator template-distiller dpo-trainer evaluator)

# The shell in psql reads the files: a password stands on no command line, and in no log of a failing statement.
# shellcheck disable=SC2016  # psql expands the backquotes
set_password() {
    printf '\\set password `cat %s/%s`\n' "$secrets" "$2"
    printf 'ALTER ROLE "%s" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'"'password'"';\n' "$1"
}

statements() {
    local service
    printf '%s\n' "SET log_min_error_statement = panic;" "SET log_statement = 'none';" "SET client_min_messages = warning;"
    for service in errata errata_services "${services[@]}"; do
        printf "SELECT 'CREATE ROLE \"%s\"' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '%s') \\\\gexec\n" \
            "$service" "$service"
    done
    set_password errata postgres_password
    for service in "${services[@]}"; do
        set_password "$service" "postgres_password_${service//-/_}"
        printf 'GRANT errata_services TO "%s";\n' "$service"
    done
    cat <<'SQL'
SELECT 'CREATE DATABASE errata OWNER errata TEMPLATE template0 ENCODING ''UTF8'''
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'errata') \gexec
REVOKE ALL ON DATABASE errata FROM PUBLIC;
GRANT CONNECT ON DATABASE errata TO errata_services;
SQL
}

# For a server of one's own: external-postgres.yaml.
if [ "${1:-}" = --print ]; then
    statements
    exit 0
fi
# The superuser of the bundled server can be reached over the socket only.
bundled() {
    statements
    echo 'ALTER ROLE postgres PASSWORD NULL;'
}
# The server may still be starting, or be the one of the first set-up, which ends in between.
for _ in $(seq 120); do
    if complaint=$(bundled | psql -X -q -v ON_ERROR_STOP=1 -U postgres -d postgres 2>&1); then exit 0; fi
    sleep 1
done
echo "roles: ${complaint:-the server does not answer}" >&2
exit 1
