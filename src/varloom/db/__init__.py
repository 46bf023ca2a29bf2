"""The database: embedded or given PostgreSQL, migrations, connections. It knows no table but its own record."""
