-- The layout of preference pairs has a name of its own; it stood among the options without one.

UPDATE runs
SET body = jsonb_set(body, '{stages,dpo,layout}', body #> '{stages,dpo,extra,layout}')
WHERE body #> '{stages,dpo,extra,layout}' IS NOT NULL;

UPDATE runs
SET body = body #- '{stages,plain,extra}' #- '{stages,hsft,extra}' #- '{stages,krsl,extra}' #- '{stages,dpo,extra}';
