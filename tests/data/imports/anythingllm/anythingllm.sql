CREATE TABLE workspaces (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, slug TEXT NOT NULL, openAiPrompt TEXT, createdAt DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP);
INSERT INTO workspaces VALUES (1, 'Home', 'home', NULL, 1735725600000);
CREATE TABLE workspace_threads (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, slug TEXT NOT NULL, workspace_id INTEGER NOT NULL, user_id INTEGER);
INSERT INTO workspace_threads VALUES (4, 'Heating', 'heating', 1, NULL);
CREATE TABLE workspace_chats (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, workspaceId INTEGER NOT NULL, prompt TEXT NOT NULL, response TEXT NOT NULL, include BOOLEAN NOT NULL DEFAULT true, user_id INTEGER, thread_id INTEGER, api_session_id TEXT, createdAt DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, lastUpdatedAt DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, feedbackScore BOOLEAN);
INSERT INTO workspace_chats VALUES (1, 1, 'Who fixed the boiler?', '{"text": "Aziz did.", "sources": [], "type": "chat", "metrics": {"model": "llama3"}}', 1, NULL, 4, NULL, 1735725600000, 1735725600000, NULL);
INSERT INTO workspace_chats VALUES (2, 1, 'What is the rent?', '{"text": "1140 euros.", "sources": [], "type": "chat"}', 1, NULL, NULL, NULL, 1735725700000, 1735725700000, NULL);
