-- Key steps are read whole and never searched, so their JSON is kept as it was written: to make jsonb of some 5 KB of numbers
-- took more time than the rest of the row. What is stored already keeps the text that it has been read as.
ALTER TABLE key_steps ALTER COLUMN body TYPE json USING body::json;
