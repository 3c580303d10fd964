CREATE TABLE history (id TEXT PRIMARY KEY, memory_id TEXT, old_memory TEXT, new_memory TEXT, event TEXT, created_at DATETIME, updated_at DATETIME, is_deleted INTEGER, actor_id TEXT, role TEXT);
INSERT INTO history VALUES ('h1', 'mem-1', NULL, 'Lives in Bergen', 'ADD', '2025-01-01T10:00:00-08:00', NULL, 0, NULL, NULL);
INSERT INTO history VALUES ('h2', 'mem-1', 'Lives in Bergen', 'Lives in Oslo', 'UPDATE', '2025-01-01T10:00:00-08:00', '2025-02-01T10:00:00-08:00', 0, NULL, NULL);
INSERT INTO history VALUES ('h3', 'mem-2', NULL, 'Owns a cat', 'ADD', '2025-01-03T10:00:00-08:00', NULL, 0, NULL, NULL);
INSERT INTO history VALUES ('h4', 'mem-2', 'Owns a cat', NULL, 'DELETE', NULL, NULL, 1, NULL, NULL);
CREATE TABLE messages (id TEXT PRIMARY KEY, session_scope TEXT, role TEXT, content TEXT, name TEXT, created_at DATETIME);
