DROP TABLE sign_in_throttles, password_resets, sign_in_challenges, user_recovery_codes, user_totp,
    refresh_tokens, user_sessions, platform_roles, users;
