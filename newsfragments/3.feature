Topic feeds: words, phrases, people and one's own name are watched for in followed rooms; hits are told live and listed at sign-in.
